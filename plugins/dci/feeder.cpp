#include "plugins/dci/feeder.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/md5.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/job/event.hpp"
#include "plugins/dci/patience.hpp"
#include "plugins/dci/view.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/array.hpp>

#include <algorithm>

namespace outpost::dci {

namespace json = boost::json;
using boost::asio::awaitable;
using job::text_at;

namespace {

constexpr std::uint64_t largest_piece = std::uint64_t{64} << 20;  ///< Larger ones stores get in parts.
constexpr std::chrono::milliseconds longest_wait = std::chrono::minutes{5};

std::string path_of(const std::string& component) { return "/api/v1/components/" + component; }

/// Whether `where` can carry a value: no comma, and no star at its end, which means something else there.
bool is_askable(std::string_view value) {
  return !value.empty() && value.find(',') == std::string_view::npos && !value.ends_with('*');
}

bool is_active(const json::object& row) {
  const auto state = text_at(row, "state");
  return state.empty() || state == "active";
}

json::object names_in(const json::object& component) {
  const auto* data = component.if_contains("data");
  const auto* names = data && data->is_object() ? data->get_object().if_contains(file_names) : nullptr;
  return names && names->is_object() ? names->get_object() : json::object{};
}

/// Object stores call what they got in one piece by this; empty for what they get in parts.
Result<std::string> mark_of(const std::filesystem::path& path, std::uint64_t size) {
  return size > largest_piece ? Result<std::string>{std::string{}} : md5_of_file(path, 0, size);
}

json::object body_of(const NewComponent& wanted, const std::string& topic, const std::string& team) {
  json::object body{{"topic_id", topic}, {"type", wanted.type}, {"display_name", wanted.name}, {"state", "inactive"}};
  const std::pair<const char*, const std::string*> texts[] = {
      {"version", &wanted.version}, {"url", &wanted.url},         {"uid", &wanted.uid},
      {"title", &wanted.title},     {"message", &wanted.message}, {"released_at", &wanted.released_at},
      {"team_id", &team}};
  for (const auto& [key, text] : texts)
    if (!text->empty()) body[key] = *text;
  if (!wanted.tags.empty()) body["tags"] = json::array(wanted.tags.begin(), wanted.tags.end());
  return body;
}

}  // namespace

struct Feeder::LocalFile {
  http::FileRange range;
  std::string name, sha256, md5;
};

Result<Feeder> Feeder::make(const Server& server, http::Client& client, Workers& workers, const Clock& clock,
                            Options options) {
  auto api = Api::make(client, clock, server.credentials, server.url);
  if (!api) return api.error();
  api->set_idle_timeout(server.idle_timeout);
  return Feeder{std::move(*api), workers, clock, std::move(options)};
}

/// Whether it is worth another attempt; waits for it.
awaitable<bool> Feeder::wait_after(const Judged& judged, unsigned attempt) const {
  if (judged.meaning != Meaning::retry_later || attempt >= options_.attempts) co_return false;
  const auto wait = judged.wait.value_or(options_.backoff * (1U << (attempt - 1)));
  if (wait > longest_wait) co_return false;
  if (options_.retries) options_.retries(judged.message);
  boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor, wait};
  co_await timer.async_wait(boost::asio::use_awaitable);
  co_return true;
}

/// For what may be asked twice.
awaitable<Reply> Feeder::ask(Call call) const {
  for (unsigned attempt = 1;; ++attempt) {
    Call copy = call;
    Reply reply = co_await api_.send(std::move(copy));
    const bool again = co_await wait_after(reply.judged, attempt);
    if (!again) co_return reply;
  }
}

awaitable<Result<std::string>> Feeder::topic_id(std::string name) const {
  const View view{api_, *clock_};
  for (unsigned attempt = 1;; ++attempt) {
    std::string wanted = name;
    const auto topic = co_await view.topic(std::move(wanted));
    if (topic) {
      const std::string id = text_at(*topic, "id");
      if (!is_id(id)) co_return Error{Fault::malformed, "the topic's id is none: " + printable(id, 80)};
      co_return id;
    }
    Judged judged{.meaning = topic.error().fault == Fault::retry_later ? Meaning::retry_later : Meaning::refused,
                  .message = topic.error().message};
    const bool again = co_await wait_after(judged, attempt);
    if (!again) co_return topic.error();
  }
}

/// Whose the components are: a feeder's are everybody's, a remoteci may only make its team's.
awaitable<Result<std::string>> Feeder::team() const {
  if (api_.credentials().client.starts_with("feeder/")) co_return std::string{};
  Call who{.path = "/api/v1/identity", .key = "identity"};
  const Reply reply = co_await ask(std::move(who));
  if (!reply.ok()) co_return reply.error();
  const auto* teams = reply.answer.row("identity").if_contains("teams");
  if (!teams || !teams->is_object() || teams->get_object().size() != 1)
    co_return Error{Fault::refused, api_.credentials().client + " has not one team, which the component could belong to"};
  co_return std::string{teams->get_object().begin()->key()};
}

/// The row, or an empty one. `where` compares without case, so what comes back is compared again.
awaitable<Result<json::object>> Feeder::find(const NewComponent& wanted, std::string topic, std::string team) const {
  Call call{.path = "/api/v1/topics/" + topic + "/components", .query = {{"sort", "-created_at"}}, .key = "components"};
  const std::string type = to_lower(wanted.type);  // So the server keeps it.
  std::string where = "type:" + type;
  if (is_askable(wanted.name)) where += ",display_name:" + wanted.name;
  call.query.emplace_back("where", where);
  Row found;
  std::function<bool(const Row&)> row = [&](const Row& one) {
    if (text_at(one, "display_name") != wanted.name || text_at(one, "type") != type || text_at(one, "team_id") != team ||
        (!wanted.version.empty() && text_at(one, "version") != wanted.version))
      return true;
    found = one;
    return false;
  };
  for (unsigned attempt = 1;; ++attempt) {
    Call copy = call;
    auto take = row;
    const Reply reply = co_await api_.list(std::move(copy), std::move(take));
    if (reply.ok()) co_return found;
    const bool again = co_await wait_after(reply.judged, attempt);
    if (!again) co_return reply.error();
  }
}

awaitable<Result<Feeder::Made>> Feeder::create(NewComponent wanted) const {
  std::string name = wanted.topic;
  const auto topic = co_await topic_id(std::move(name));
  if (!topic) co_return topic.error();
  const auto owner = co_await team();
  if (!owner) co_return owner.error();
  for (unsigned attempt = 1;; ++attempt) {
    std::string in = *topic, of = *owner;
    auto there = co_await find(wanted, std::move(in), std::move(of));
    if (!there) co_return there.error();
    if (!there->empty()) co_return Made{std::move(*there), attempt == 1};
    Call call{.method = "POST", .path = "/api/v1/components", .key = "component"};
    call.body = body_of(wanted, *topic, *owner);
    const Reply reply = co_await api_.send(std::move(call));
    if (reply.ok()) co_return Made{reply.answer.row("component"), false};
    // A lost answer may have made it; somebody else may have been faster.
    if (reply.judged.meaning == Meaning::duplicate && attempt < options_.attempts) continue;
    const bool again = co_await wait_after(reply.judged, attempt);
    if (!again) co_return reply.error();
  }
}

awaitable<Result<json::object>> Feeder::component(std::string id) const {
  if (!is_id(id)) co_return Error{Fault::malformed, "\"" + printable(id, 80) + "\" is not the id of a component"};
  Call call{.path = path_of(id), .key = "component"};
  const Reply reply = co_await ask(std::move(call));
  if (!reply.ok()) co_return reply.error();
  co_return reply.answer.row("component");
}

/// Reads, changes and writes, again when somebody else was faster.
awaitable<Result<json::object>> Feeder::change(std::string id, Change edit) const {
  for (unsigned attempt = 1;; ++attempt) {
    std::string same = id;
    auto now = co_await component(std::move(same));
    if (!now) co_return now.error();
    Row body;
    edit(*now, body);
    if (body.empty()) co_return std::move(*now);
    Call call{.method = "PUT", .path = path_of(id), .key = "component"};
    call.headers.set("If-match", text_at(*now, "etag"));
    call.body = std::move(body);
    Reply reply = co_await api_.send(std::move(call));
    if (reply.ok()) co_return reply.answer.row("component");
    // What is gone is the state that was read.
    if (reply.judged.meaning == Meaning::gone) reply.judged.meaning = Meaning::retry_later;
    const bool again = co_await wait_after(reply.judged, attempt);
    if (!again) co_return reply.error();
  }
}

awaitable<Result<json::object>> Feeder::publish(std::string id) const {
  Change activate = [](const Row& now, Row& body) {
    if (!is_active(now)) body["state"] = "active";
  };
  co_return co_await change(std::move(id), std::move(activate));
}

/// The id of a file with this content, or "". Object stores call what was sent in one piece by its MD5. One that they
/// got in parts has a mark of another kind: then its name decides, or that it has none yet.
awaitable<Result<std::string>> Feeder::find_file(const std::string& id, const LocalFile& file) const {
  std::string same = id;
  const auto now = co_await component(std::move(same));
  if (!now) co_return now.error();
  const auto names = names_in(*now);
  std::string found;
  std::function<bool(const Row&)> row = [&](const Row& one) {
    if (!is_active(one) || job::number_at(one, "size", -1) != static_cast<std::int64_t>(file.range.size)) return true;
    const auto name = text_at(names, text_at(one, "id"));
    if (!name.empty() && name != file.name) return true;
    const auto mark = text_at(one, "etag");
    if ((file.md5.empty() || mark.find(file.md5) == std::string::npos) && mark.find('-') == std::string::npos) return true;
    found = text_at(one, "id");
    return false;
  };
  for (unsigned attempt = 1;; ++attempt) {
    Call call{.path = path_of(id) + "/files", .key = "component_files"};
    auto take = row;
    const Reply reply = co_await api_.list(std::move(call), std::move(take));
    if (reply.ok()) co_return found;
    const bool again = co_await wait_after(reply.judged, attempt);
    if (!again) co_return reply.error();
  }
}

awaitable<Result<std::string>> Feeder::send_file(const std::string& id, const LocalFile& file, bool& found) const {
  for (unsigned attempt = 1;; ++attempt) {
    auto there = co_await find_file(id, file);
    if (!there || !there->empty()) {
      found = attempt == 1;
      co_return there;
    }
    Call call{.method = "POST", .path = path_of(id) + "/files", .key = "component_file"};
    call.extra_patience = patience_for(file.range.size);
    Raw raw{file.range, file.sha256, "application/octet-stream"};
    call.body = std::move(raw);
    const Reply reply = co_await api_.send(std::move(call));
    if (reply.ok()) co_return text_at(reply.answer.row("component_file"), "id");
    if (reply.judged.meaning == Meaning::too_large)
      co_return Error{Fault::refused, printable(file.name, 300) + " has " + format_size(file.range.size) +
                                          ", which is more than the control server takes: have its limit raised "
                                          "(MAX_CONTENT_LENGTH_MB)"};
    const bool again = co_await wait_after(reply.judged, attempt);
    if (!again) co_return reply.error();
  }
}

awaitable<Result<Feeder::Sent>> Feeder::upload(std::string id, std::filesystem::path path, std::string name) const {
  auto look = [path, name]() -> Result<LocalFile> {
    std::error_code failed;
    const auto size = std::filesystem::file_size(path, failed);
    if (failed) return errno_error("reading", path.native(), failed.value());
    auto sha256 = sha256_of_file(path, 0, size);
    if (!sha256) return sha256.error();
    auto md5 = mark_of(path, size);
    if (!md5) return md5.error();
    return LocalFile{{path, 0, size}, name, std::move(*sha256), std::move(*md5)};
  };
  const auto file = co_await workers_->run(std::move(look));
  if (!file) co_return file.error();
  Sent sent{.size = file->range.size};
  const auto file_id = co_await send_file(id, *file, sent.found);
  if (!file_id) co_return file_id.error();
  sent.id = *file_id;
  Change give_name = [&](const Row& now, Row& body) {
    auto names = names_in(now);
    if (text_at(names, sent.id) == file->name) return;
    names[sent.id] = file->name;
    const auto* data = now.if_contains("data");
    Row whole = data && data->is_object() ? data->get_object() : Row{};
    whole[file_names] = std::move(names);
    body["data"] = std::move(whole);
  };
  const auto named = co_await change(std::move(id), std::move(give_name));
  if (!named) co_return named.error();
  co_return sent;
}

}  // namespace outpost::dci
