#include "agent/daemon/server_view.hpp"

#include "agent/base/text.hpp"
#include "agent/config/values.hpp"
#include "agent/daemon/run_to_end.hpp"
#include "agent/daemon/server_access.hpp"
#include "agent/job/event.hpp"
#include "plugins/dci/view.hpp"

#include <variant>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

/// Somebody waits at a terminal.
constexpr std::chrono::seconds patience{15};

template <class Value>
using Asking = asio::awaitable<Result<Value>>;

/// Opens the source's server, asks it and waits; which question, its type says.
template <class Value, class Control, class Builder>
Result<Value> asked(const config::Source& source, Control ask_control, Builder ask_builder) {
  SystemClock clock;
  asio::io_context loop{1};
  auto access = access_to(source);
  if (!access) return access.error();
  const auto shortened = [](std::chrono::milliseconds timeout) { return std::min<std::chrono::milliseconds>(timeout, patience); };
  Result<Value> answer = Error{Fault::bug, "nobody was asked"};
  if (auto* builder = std::get_if<dlrn::Server>(&access->server)) {
    builder->api.idle_timeout = shortened(builder->api.idle_timeout);
    const auto api = dlrn::Api::make(*access->client, clock, builder->api);
    if (!api) return api.error();
    answer = run_to_end(loop, ask_builder(*api));
  } else {
    auto& control = std::get<dci::Server>(access->server);
    control.idle_timeout = shortened(control.idle_timeout);
    const auto view = dci::View::make(control, *access->client, clock);
    if (!view) return view.error();
    answer = run_to_end(loop, ask_control(*view));
  }
  access->client.reset();  // Before the loop, on which its connections live.
  return answer;
}

Asking<json::value> put(const dlrn::Api& api, ServerQuestion question) {
  using About = ServerQuestion::About;
  if (question.about == About::identity) {
    const auto health = co_await api.check_credentials();
    if (!health) co_return dlrn::to_error(health.error());
    co_return json::value{{"name", api.user()}, {"type", "user of a package builder"}, {"health", *health}};
  }
  if (question.about != About::components)
    co_return Error{Fault::refused, api.base() + " is a package builder: it has neither topics nor jobs"};
  if (!question.topic.empty())
    co_return Error{Fault::refused, api.base() + " is a package builder, which has no topics: leave " +
                                        config::quote(question.topic) + " out"};
  const auto names = co_await api.components();
  if (!names) co_return dlrn::to_error(names.error());
  json::array rows;
  for (const auto& name : *names) rows.push_back({{"name", name}, {"type", name}});
  co_return json::value(std::move(rows));
}

Asking<doctor::ServerAnswer> contact(const dlrn::Api& api) {
  const SystemClock clock;
  const auto begin = clock.since_boot();
  const auto health = co_await api.check_credentials();
  doctor::ServerAnswer told;
  told.took = std::chrono::duration_cast<std::chrono::milliseconds>(clock.since_boot() - begin);
  told.client = api.user();
  told.accepted = health.has_value();
  told.status = health ? 200 : health.error().status;
  // What a builder says of wrong credentials is a page too.
  told.is_api = health || health.error().meaning == dlrn::Meaning::fix_credentials;
  if (!health) told.error = health.error().message;
  co_return told;
}

Asking<json::value> put(const dci::View& view, ServerQuestion question) {
  using About = ServerQuestion::About;
  Result<json::array> rows = json::array{};
  switch (question.about) {
    case About::identity: {
      auto contact = co_await view.contact();
      if (!contact.reply.ok()) co_return contact.reply.error();
      co_return json::value(contact.reply.answer.row("identity"));
    }
    case About::topic: {
      auto topic = co_await view.topic(question.topic);
      if (!topic) co_return topic.error();
      co_return json::value(std::move(*topic));
    }
    case About::topics: rows = co_await view.topics(); break;
    case About::components: rows = co_await view.components(question.topic, question.type, question.limit); break;
    case About::jobs: rows = co_await view.jobs(question.limit); break;
  }
  if (!rows) co_return rows.error();
  co_return json::value(std::move(*rows));  // Braces would make a list of it.
}

Asking<doctor::ServerAnswer> contact(const dci::View& view) {
  const auto made = co_await view.contact();
  const auto& answer = made.reply.answer;
  doctor::ServerAnswer told;
  told.status = answer.status;
  told.is_api = !answer.json.is_null();
  told.accepted = made.reply.ok();
  told.client = view.api().credentials().client;
  told.name = printable(job::text_at(answer.row("identity"), "name"), 200);
  if (!told.accepted) told.error = made.reply.judged.message;
  told.software = printable(answer.headers.get("Server"), 200);
  told.ahead = made.ahead;
  told.took = made.took;
  co_return told;
}

}  // namespace

Result<json::value> ask_server(const config::Source& source, const ServerQuestion& question) {
  const auto ask = [&](const auto& server) { return put(server, question); };
  return asked<json::value>(source, ask, ask);
}

Result<doctor::ServerAnswer> contact_server(const config::Source& source) {
  const auto ask = [](const auto& server) { return contact(server); };
  return asked<doctor::ServerAnswer>(source, ask, ask);
}

Result<const config::Source*> source_named(const config::Settings& settings, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [each, source] : settings.sources) {
    if (each == name || (name.empty() && settings.sources.size() == 1)) return &source;
    names.push_back(each);
  }
  if (names.empty()) return Error{Fault::malformed, "the configuration has no source"};
  if (name.empty())
    return Error{Fault::malformed,
                 "there are several sources: say which one with --source (" + join(names, ", ") + ")"};
  return Error{Fault::malformed,
               "the configuration has no source " + config::quote(name) + config::suggestion(name, names)};
}

}  // namespace outpost::daemon
