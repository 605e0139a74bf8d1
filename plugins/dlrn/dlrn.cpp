#include "plugins/dlrn/dlrn.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "plugins/dlrn/reporter.hpp"

namespace outpost::dlrn {
namespace {

bool flag_or(const boost::json::object& options, std::string_view key, bool otherwise) {
  return options.contains(key) ? job::flag_at(options, key) : otherwise;
}

Result<void> check_authentication(std::string_view way) {
  if (way == "basic" || way == "kerberos") return {};
  return Error{Fault::malformed, "\"" + printable(way, 60) + "\" is not a way to sign in (known: basic, kerberos)"};
}

Result<void> check_kerberos(const boost::json::object& options) {
  const bool kerberos = job::text_at(options, "authentication") == "kerberos";
  if (kerberos && !options.contains("keytab")) return Error{Fault::malformed, "authentication: kerberos needs keytab (example: keytab: /etc/outpost/builder.keytab)"};
  for (const char* key : {"keytab", "principal", "server_principal"})
    if (!kerberos && options.contains(key)) return Error{Fault::malformed, std::string{key} + " is for authentication: kerberos"};
  return {};
}

}  // namespace

bool uses_kerberos(const config::Source& source) { return job::text_at(source.options, "authentication") == "kerberos"; }

Server server_of(const config::Source& source) {
  Server server;
  server.api.base = source.url;
  server.api.protected_reads = flag_or(source.options, "protected_reads", false);
  server.api.idle_timeout = source.idle_timeout;
  server.tree = job::text_at(source.options, "tree");
  return server;
}

VoteSettings vote_settings_of(const config::Source& source) {
  return {source.name, job::text_at(source.options, "logs_url"), flag_or(source.options, "vote_on_error", true)};
}

SourceSettings source_settings_of(const config::Source& source) {
  SourceSettings settings;
  settings.name = source.name;
  settings.in_progress = flag_or(source.options, "in_progress", true);
  return settings;
}

Result<std::unique_ptr<pipeline::Source>> make_source(const Server& server, SourceSettings settings,
                                                      http::Client& client, Workers& workers, const Clock& clock) {
  const std::string where = "source " + settings.name;
  auto api = Api::make(client, clock, server.api);
  if (!api) return std::move(api).error().in(where);
  auto tree = Tree::make(client, server.tree, server.api.idle_timeout);
  if (!tree) return std::move(tree).error().in(where);
  return std::unique_ptr<pipeline::Source>{
      std::make_unique<DlrnSource>(std::move(*api), std::move(*tree), client, workers, clock, std::move(settings))};
}

Result<std::unique_ptr<pipeline::Reporter>> make_reporter(const Server& server, VoteSettings settings,
                                                          http::Client& client, const Clock& clock) {
  auto api = Api::make(client, clock, server.api);
  if (!api) return std::move(api).error().in("reporter " + settings.source);
  return std::unique_ptr<pipeline::Reporter>{std::make_unique<DlrnReporter>(std::move(*api), std::move(settings))};
}

config::SourceType source_type() {
  using config::OptionKind;
  config::SourceType type;
  type.type = "dlrn";
  type.options = {
      {"tree", OptionKind::url, true, "the web tree of the builder (example: tree: https://trunk.rdoproject.org/centos9-master)"},
      {"protected_reads", OptionKind::boolean, false, "whether the builder wants to know who reads"},
      {"in_progress", OptionKind::boolean, false, "whether a build that a job has tested is taken with a vote in progress"},
      {"vote_on_error", OptionKind::boolean, false, "whether an error of the lab votes against the hash"},
      {"logs_url", OptionKind::text, false, "where people find a job; {job} is its id, {name} its name"},
      {"authentication", OptionKind::text, false, "how we sign in: basic or kerberos", check_authentication},
      {"keytab", OptionKind::file, false, "the Kerberos keys of who we are"},
      {"principal", OptionKind::text, false, "who we are (example: ciuser@EXAMPLE.ORG)"},
      {"server_principal", OptionKind::text, false, "who the builder is (example: HTTP/trunk.example.org@EXAMPLE.ORG)"}};
  type.needs_credentials = true;
  type.signs_in_otherwise = [](const boost::json::object& options) { return job::text_at(options, "authentication") == "kerberos"; };
  type.check_options = check_kerberos;
  type.needs_url = true;
  type.needs_topic = false;
  type.check_component = check_selection;
  return type;
}

}  // namespace outpost::dlrn
