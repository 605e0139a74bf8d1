#include "plugins/dci/api.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/ids.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <set>

namespace outpost::dci {
namespace {

bool is_form(std::string_view content_type) {
  const std::string type = to_lower(trim(content_type));
  return type.starts_with("multipart/") || type.starts_with("application/x-www-form-urlencoded") ||
         type.starts_with("application/x-url-encoded");
}

/// Path and query, percent-encoded exactly once. A blank value or a repeated name is a bug of the caller.
Result<std::string> target_of(const Call& call) {
  std::string target = percent_encode(call.path, true);
  std::set<std::string> names;
  for (const auto& [name, value] : call.query) {
    if (value.empty()) return Error{Fault::bug, "the parameter " + name + " of " + call.path + " is blank"};
    if (!names.insert(name).second)
      return Error{Fault::bug, "the parameter " + name + " of " + call.path + " is there twice"};
    target += (names.size() == 1 ? '?' : '&') + percent_encode(name) + '=' + percent_encode(value);
  }
  if (names.contains("limit") != names.contains("offset"))
    return Error{Fault::bug, "limit and offset of " + call.path + " need each other"};
  return target;
}

}  // namespace

std::string agent_name() { return std::string{"outpost/" OUTPOST_VERSION}.substr(0, 255); }

bool is_id(std::string_view text) { return is_uuid(text) && to_lower(text) == text; }

Result<Api> Api::make(http::Client& client, const Clock& clock, Credentials credentials, std::string_view url) {
  return make(client, clock, std::make_shared<Standing>(std::move(credentials), clock, Standing::Options{}), url);
}

Result<Api> Api::make(http::Client& client, const Clock& clock, std::shared_ptr<Standing> standing,
                      std::string_view url) {
  std::string trimmed{trim(url)};
  while (trimmed.ends_with('/')) trimmed.pop_back();
  auto parsed = http::parse_url(trimmed);
  if (!parsed) return std::move(parsed).error().in("the url of the control server");
  if (trimmed.find_first_of("?#") != std::string::npos)
    return Error{Fault::malformed,
                 "the url of the control server: it has a query or fragment (example: https://api.distributed-ci.io)"};
  return Api{client, clock, std::move(standing), std::move(trimmed), std::move(*parsed)};
}

Expectation Api::expectation(const Call& call) const {
  Expectation expected;
  expected.what = call.method + ' ' + printable(call.path, 300);
  expected.key = call.key;
  expected.rows = call.rows;
  expected.host = parsed_.host_header;
  expected.client = credentials().client;
  expected.sent_at = clock_->now();
  if (const auto* raw = std::get_if<Raw>(&call.body)) expected.size = http::size_of(raw->body);
  return expected;
}

Result<http::Request> Api::signed_request(Call call) const {
  auto target = target_of(call);
  if (!target) return target.error();
  http::Request request;
  request.method = call.method;
  request.url = url_ + *target;
  request.headers = std::move(call.headers);
  request.idle_timeout = idle_timeout_ + call.extra_patience;

  std::string sha256{sha256_of_nothing};
  if (const auto* object = std::get_if<boost::json::object>(&call.body)) {
    std::string text = boost::json::serialize(*object);
    sha256 = sha256_hex(text);
    request.body = std::move(text);
    request.headers.set("Content-Type", "application/json");
  } else if (auto* raw = std::get_if<Raw>(&call.body)) {
    sha256 = raw->sha256;
    request.body = std::move(raw->body);
    request.headers.set("Content-Type", raw->content_type.empty() || is_form(raw->content_type)
                                            ? "application/octet-stream"
                                            : raw->content_type);
  }
  const std::string prefix = parsed_.target == "/" ? "" : parsed_.target;
  const ToSign to_sign{call.method, prefix + *target, parsed_.host_header, sha256};
  Signature signature = sign(to_sign, credentials(), clock_->now());
  request.headers.set("X-DCI-Date", std::move(signature.date));
  request.headers.set("Authorization", std::move(signature.authorization));
  request.headers.set("User-Agent", agent_name());
  request.headers.set("Client-Version", agent_name());
  return request;
}

boost::asio::awaitable<Reply> Api::send(Call call) const {
  const std::string what = call.method + ' ' + printable(call.path, 300);
  const std::string endpoint = endpoint_of(call.method, call.path);
  Reply reply;
  if (const auto wait = standing_->held(endpoint); wait.count() > 0) {
    reply.judged = {Meaning::retry_later,
                    what + ": not sent, the server wants to be asked again in " + format_duration(wait), wait, true};
    co_return reply;
  }
  const bool was_refused = standing_->refusal().has_value();
  if (was_refused) {
    co_await standing_->renew();
    if (!standing_->is_due()) {
      reply.judged = {Meaning::fix_credentials, *standing_->refusal(), {}};
      co_return reply;
    }
    standing_->try_begins();
  }
  const bool changes = call.method != "GET";
  const Credentials used = credentials();
  Call again = call;
  reply = co_await send_once(std::move(call));
  if (reply.judged.meaning == Meaning::fix_credentials) {
    co_await standing_->renew();
    // Somebody else may have taken them over meanwhile: the old ones' refusal says nothing about the new ones.
    if (credentials() != used) {
      standing_->try_begins();
      reply = co_await send_once(std::move(again));
    }
  }
  // Something that looks into uploads may forbid one of them, which is no reason to hold back all the others.
  if (reply.answer.status == 403 && changes && co_await knows_us()) {
    reply.judged.meaning = Meaning::refused;
    reply.judged.message += " The server accepts us, so it is this request that does not get through";
    standing_->accepted();
    co_return reply;
  }
  take_note(reply, endpoint, was_refused);
  co_return reply;
}

boost::asio::awaitable<bool> Api::knows_us() const {
  Call who{.path = "/api/v1/identity", .key = "identity"};
  const Reply reply = co_await send_once(std::move(who));
  co_return reply.ok();
}

/// What everybody else who asks this server should know.
void Api::take_note(const Reply& reply, const std::string& endpoint, bool was_refused) const {
  if (reply.judged.wait) standing_->hold(endpoint, *reply.judged.wait);
  switch (reply.judged.meaning) {
    case Meaning::fix_credentials: return standing_->refused(reply.judged.message);
    case Meaning::ok:
    case Meaning::gone:
    case Meaning::duplicate: return standing_->accepted();
    case Meaning::refused:
    case Meaning::too_large:
    case Meaning::too_slow:
    case Meaning::retry_later: break;
  }
  if (was_refused) standing_->inconclusive();
}

boost::asio::awaitable<Reply> Api::send_once(Call call) const {
  Expectation expected = expectation(call);
  auto request = signed_request(std::move(call));
  Reply reply;
  if (!request) {
    reply.judged = {Meaning::refused, request.error().message, {}};
    co_return reply;
  }
  http::Request named = std::move(*request);
  const auto begin = clock_->since_boot();
  auto response = co_await client_->send(std::move(named));
  if (!response) {
    reply.judged = judge(response.error(), expected);
    co_return reply;
  }
  expected.took = std::chrono::duration_cast<std::chrono::milliseconds>(clock_->since_boot() - begin);
  standing_->answered({expected.took, clock_ahead(response->headers, expected.sent_at, clock_->now())});
  reply.answer = read_answer(std::move(*response), credentials().secret);
  reply.judged = judge(reply.answer, expected);
  co_return reply;
}

boost::asio::awaitable<Reply> Api::list(Call call, std::function<bool(const boost::json::object&)> row,
                                        std::size_t page, std::size_t pages) const {
  page = std::clamp<std::size_t>(page, 1, page_size);
  const Parameters fixed = call.query;
  call.rows = true;
  Reply reply;
  std::uint64_t offset = 0;
  for (std::size_t number = 0; number < pages; ++number) {
    call.query = fixed;
    call.query.emplace_back("limit", std::to_string(page));
    call.query.emplace_back("offset", std::to_string(offset));
    Call one = call;
    reply = co_await send(std::move(one));
    if (!reply.ok()) co_return reply;
    const auto& rows = reply.answer.list(call.key);
    for (const auto& element : rows)
      if (element.is_object() && !row(element.get_object())) co_return reply;
    // The server may give less than asked for (its own cap), so only an empty page or the count says it is the last.
    const auto* meta = reply.answer.object("_meta");
    const auto* count = meta ? meta->if_contains("count") : nullptr;
    offset += rows.size();
    if (rows.empty() || (count && count->is_int64() && count->get_int64() <= static_cast<std::int64_t>(offset)))
      co_return reply;
  }
  co_return reply;
}

}  // namespace outpost::dci
