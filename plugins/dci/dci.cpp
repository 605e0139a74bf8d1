#include "plugins/dci/dci.hpp"

namespace outpost::dci {
namespace {

Result<Api> api_of(const Server& server, http::Client& client, const Clock& clock) {
  const std::string url = server.url.empty() ? "https://api.distributed-ci.io" : server.url;
  auto api = server.standing ? Api::make(client, clock, server.standing, url)
                             : Api::make(client, clock, server.credentials, url);
  if (api) api->set_idle_timeout(server.idle_timeout);
  return api;
}

}  // namespace

Result<std::unique_ptr<pipeline::Source>> make_source(const Server& server, SourceSettings settings,
                                                      http::Client& client, Workers& workers, const Clock& clock,
                                                      files::Cache* cache) {
  auto api = api_of(server, client, clock);
  if (!api) return std::move(api).error().in("source " + settings.name);
  return std::unique_ptr<pipeline::Source>{
      std::make_unique<DciSource>(std::move(*api), client, workers, clock, cache, std::move(settings))};
}

Result<std::unique_ptr<pipeline::Reporter>> make_reporter(const Server& server, ReporterSettings settings,
                                                          http::Client& client, Workers& workers, const Clock& clock) {
  auto api = api_of(server, client, clock);
  if (!api) return std::move(api).error().in("reporter " + settings.source);
  return std::unique_ptr<pipeline::Reporter>{
      std::make_unique<DciReporter>(std::move(*api), workers, std::move(settings))};
}

Result<void> check_selection(std::string_view text) {
  if (const auto selection = parse_selection(text); !selection) return selection.error();
  return {};
}

config::SourceType source_type() {
  config::SourceType type;
  type.type = "dci";
  type.options = {{"ui_url", config::OptionKind::url, false,
                   "Where people look at jobs, for links (example: https://www.distributed-ci.io)"}};
  return type;
}

}  // namespace outpost::dci
