#include "plugins/dci/view.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <algorithm>

namespace outpost::dci {

namespace json = boost::json;
using boost::asio::awaitable;

Result<View> View::make(const Server& server, http::Client& client, const Clock& clock) {
  auto standing =
      server.standing ? server.standing : std::make_shared<Standing>(server.credentials, clock, Standing::Options{});
  auto api = Api::make(client, clock, std::move(standing), server.url);
  if (!api) return api.error();
  api->set_idle_timeout(server.idle_timeout);
  return View{std::move(*api), clock};
}

awaitable<View::Contact> View::contact() const {
  Contact contact;
  const auto sent = clock_->now();
  const auto begin = clock_->since_boot();
  Call who{.path = "/api/v1/identity", .key = "identity"};
  contact.reply = co_await api_.send(std::move(who));
  contact.took = std::chrono::duration_cast<std::chrono::milliseconds>(clock_->since_boot() - begin);
  contact.ahead = clock_ahead(contact.reply.answer.headers, sent, clock_->now());
  co_return contact;
}

awaitable<Result<json::array>> View::rows(Call call, std::size_t limit) const {
  json::array found;
  std::function<bool(const json::object&)> row = [&](const json::object& one) {
    found.push_back(one);
    return found.size() < limit;
  };
  const Reply reply = co_await api_.list(std::move(call), std::move(row), std::min(limit, page_size));
  if (!reply.ok()) co_return reply.error();
  co_return found;
}

awaitable<Result<json::array>> View::topics() const {
  constexpr std::size_t most = 2000;
  Call call{.path = "/api/v1/topics", .query = {{"sort", "name"}, {"where", "state:active"}}, .key = "topics"};
  co_return co_await rows(std::move(call), most);
}

awaitable<Result<json::object>> View::topic(std::string name) const {
  const auto all = co_await topics();
  if (!all) co_return all.error();
  std::vector<std::string> names;
  for (const auto& one : *all) {
    names.push_back(job::text_at(one.get_object(), "name"));
    if (names.back() == name) co_return one.get_object();
  }
  const auto meant = nearest(name, names);
  co_return Error{Fault::refused, "topic \"" + printable(name, 200) + "\": not found at " + api_.url() +
                                      ", or the team of " + api_.credentials().client +
                                      " has no permission for it (the server does not tell which)" +
                                      (meant ? "; did you mean \"" + printable(*meant, 200) + "\"?" : "")};
}

awaitable<Result<json::array>> View::components(std::string topic_name, std::string type, std::size_t limit) const {
  Call call{.path = "/api/v1/components", .query = {{"sort", "-released_at"}}, .key = "components"};
  if (!topic_name.empty()) {
    const auto found = co_await topic(std::move(topic_name));
    if (!found) co_return found.error();
    const std::string id = job::text_at(*found, "id");
    if (!is_id(id)) co_return Error{Fault::malformed, "the topic's id is none: " + printable(id, 80)};
    call.path = "/api/v1/topics/" + id + "/components";
  }
  if (!type.empty()) call.query.emplace_back("where", "type:" + type);
  co_return co_await rows(std::move(call), limit);
}

awaitable<Result<json::array>> View::jobs(std::size_t limit) const {
  Call call{.path = "/api/v1/jobs", .query = {{"sort", "-created_at"}}, .key = "jobs"};
  co_return co_await rows(std::move(call), limit);
}

}  // namespace outpost::dci
