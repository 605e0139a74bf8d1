#include "agent/daemon/server_view.hpp"

#include "agent/base/text.hpp"
#include "agent/config/values.hpp"
#include "agent/daemon/run_to_end.hpp"
#include "agent/daemon/server_access.hpp"
#include "agent/job/event.hpp"
#include "plugins/dci/view.hpp"

#include <functional>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

/// Somebody waits at a terminal.
constexpr std::chrono::seconds patience{15};

/// Opens the source's server, asks it and waits.
template <class Value>
Result<Value> asked(const config::Source& source,
                    std::function<asio::awaitable<Result<Value>>(const dci::View&)> question) {
  SystemClock clock;
  asio::io_context loop{1};
  auto access = access_to(source);
  if (!access) return access.error();
  access->server.idle_timeout = std::min<std::chrono::milliseconds>(access->server.idle_timeout, patience);
  const auto view = dci::View::make(access->server, *access->client, clock);
  if (!view) return view.error();
  auto answer = run_to_end(loop, question(*view));
  access->client.reset();  // Before the loop, on which its connections live.
  return answer;
}

asio::awaitable<Result<json::value>> put(const dci::View& view, ServerQuestion question) {
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

asio::awaitable<Result<doctor::ServerAnswer>> contact(const dci::View& view) {
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
  return asked<json::value>(source, [&](const dci::View& view) { return put(view, question); });
}

Result<doctor::ServerAnswer> contact_server(const config::Source& source) {
  return asked<doctor::ServerAnswer>(source, [](const dci::View& view) { return contact(view); });
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
