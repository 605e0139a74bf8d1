#include "agent/files/transfer.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/text.hpp"
#include "agent/files/durable_file.hpp"
#include "agent/files/redirect.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace outpost::files {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

Error cancelled() { return {Fault::cancelled, "the download was cancelled"}; }

/// After a cancellation the next co_await would throw: asked before each one, without awaiting.
bool is_stopped(const asio::cancellation_state& state) { return state.cancelled() != asio::cancellation_type::none; }

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "bytes 100-199/200", "bytes 100-199/*" or "bytes */200" (RFC 9110 §14.4).
struct ContentRange {
  std::optional<std::uint64_t> first, total;
};

std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!equal_ignoring_case(text.substr(0, 6), "bytes ")) return std::nullopt;
  text = trim(text.substr(6));
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  ContentRange range;
  const std::string_view span = text.substr(0, slash), total = text.substr(slash + 1);
  if (span != "*" && !(range.first = number(span.substr(0, span.find('-'))))) return std::nullopt;
  if (total != "*" && !(range.total = number(total))) return std::nullopt;
  return range;
}

std::string strong_etag(const http::Headers& headers) {
  const std::string_view tag = trim(headers.get("ETag"));
  return tag.size() >= 2 && tag.front() == '"' && tag.back() == '"' ? std::string{tag} : std::string{};
}

/// Retry-After in seconds or as a date (RFC 9110 §10.2.3).
std::optional<milliseconds> parse_retry_after(std::string_view text) {
  text = trim(text);
  if (const auto seconds = number(text)) return milliseconds{std::min<std::uint64_t>(*seconds, 86'400) * 1000};
  const auto date = parse_http_date(text);
  if (!date) return std::nullopt;
  const auto wait = std::chrono::duration_cast<milliseconds>(*date - SystemClock{}.now());
  return std::max(wait, milliseconds{0});
}

bool worth_another_try(int status) { return status == 408 || status == 425 || status == 429 || status >= 500; }

}  // namespace

Transfer::Transfer(http::Client& client, Workers& workers, const DownloadOptions& options, DownloadRequest request)
    : client_{client}, workers_{workers}, options_{options}, request_{std::move(request)}, part_path_{request_.target} {
  part_path_ += ".part";
  request_.expected_sha256 = to_lower(request_.expected_sha256);
  total_ = request_.expected_size;
}

asio::awaitable<Result<Downloaded>> Transfer::run() {
  if (total_ && *total_ > request_.limit)
    co_return Error{Fault::refused, request_.target.string() + ": " + std::to_string(*total_) +
                                        " bytes, above the limit of " + std::to_string(request_.limit) +
                                        " bytes; raise the limit if this is right"};
  auto opened = co_await open_part();
  if (!opened) co_return opened.error();
  while (true) {
    auto received = co_await receive();
    if (!received) co_return received.error();
    std::string sum = part_.sha256();
    if (request_.expected_sha256.empty() || sum == request_.expected_sha256) co_return co_await finish(std::move(sum));
    auto error = differs("sha256 " + sum + " instead of " + request_.expected_sha256);
    if (fatal_) co_return error;
  }
}

asio::awaitable<Result<void>> Transfer::open_part() {
  auto work = [path = part_path_, longest = std::min(request_.limit, total_.value_or(request_.limit)),
               keep = !request_.expected_sha256.empty()] { return PartialFile::open(path, longest, keep); };
  auto opened = co_await workers_.run(std::move(work));
  if (is_stopped(co_await asio::this_coro::cancellation_state)) co_return cancelled();
  if (!opened) co_return opened.error();
  part_ = std::move(*opened);
  result_.resumed = part_.size();
  // Complete already: a crash came between the last byte and the rename.
  complete_ = part_.size() > 0 && total_ == part_.size();
  co_return Result<void>{};
}

/// Attempts until the file is complete.
asio::awaitable<Result<void>> Transfer::receive() {
  unsigned failures = 0;
  while (!complete_) {
    const std::uint64_t before = part_.size();
    fatal_ = false;
    retry_after_.reset();
    ++result_.attempts;
    auto done = co_await attempt();
    if (is_stopped(co_await asio::this_coro::cancellation_state)) co_return cancelled();
    if (done) continue;
    if (fatal_ || done.error().fault != Fault::retry_later) co_return done.error();
    const bool progress = part_.size() >= before + options_.worthwhile;
    failures = progress ? 1 : failures + 1;
    if (failures >= options_.attempts)
      co_return Error{Fault::retry_later,
                      done.error().message + " (given up after " + std::to_string(result_.attempts) + " attempts)"};
    // Without a checksum only an entity tag shows that the rest belongs to what we have.
    if (request_.expected_sha256.empty() && etag_.empty())
      if (auto cleared = part_.clear(); !cleared) co_return cleared.error();
    const auto wait = pause_after(failures);
    if (request_.retrying) request_.retrying({result_.attempts, wait, done.error().message});
    if (!co_await back_off(wait)) co_return cancelled();
  }
  co_return Result<void>{};
}

asio::awaitable<Result<void>> Transfer::attempt() {
  auto opened = co_await request_.open();
  if (!opened) co_return opened.error();
  http::Request request = std::move(*opened);
  redirected_ = false;
  for (unsigned hops = 0;; ++hops) {
    if (is_stopped(co_await asio::this_coro::cancellation_state)) co_return cancelled();
    where_ = without_query(request.url);
    auto answer = co_await fetch(request);
    if (!answer || !is_redirect(answer->status)) co_return judge(answer);
    fatal_ = true;  // Whatever is wrong with a redirect is not a fault of the network.
    if (hops == options_.redirects)
      co_return Error{Fault::refused,
                      where_ + ": more than " + std::to_string(options_.redirects) + " redirects in a row"};
    auto next = follow(request, *answer, request_.allow_local_redirects);
    if (!next) co_return next.error();
    fatal_ = false;
    request = std::move(*next);
    redirected_ = true;
  }
}

asio::awaitable<Result<http::Response>> Transfer::fetch(http::Request request) {
  asked_for_rest_ = part_.size() > 0;
  request.headers.set("Accept-Encoding", "identity");
  if (asked_for_rest_) request.headers.set("Range", "bytes=" + std::to_string(part_.size()) + "-");
  if (asked_for_rest_ && !etag_.empty()) request.headers.set("If-Range", etag_);
  own_error_.reset();
  const auto own = [this](Result<void> result) {
    if (!result) own_error_ = result.error();
    return result;
  };
  http::BodySink sink;
  sink.begin = [this, own](const http::Response& head) { return own(begin(head)); };
  sink.write = [this, own](std::string_view bytes) { return own(write(bytes)); };
  co_return co_await client_.fetch(std::move(request), std::move(sink));
}

/// What the end of a request means for the file.
Result<void> Transfer::judge(const Result<http::Response>& answer) {
  if (own_error_) return *own_error_;
  if (!answer) return answer.error();
  if (answer->status == 416) return range_refused(*answer);
  if (answer->status < 200 || answer->status > 299) return turned_down(*answer);
  if (total_ && part_.size() < *total_)
    return Error{Fault::retry_later, where_ + ": the answer ended after " + std::to_string(part_.size()) + " of " +
                                         std::to_string(*total_) + " bytes"};
  complete_ = true;
  report(true);
  return {};
}

Error Transfer::turned_down(const http::Response& answer) {
  if (const auto header = answer.headers.get("Retry-After"); !header.empty()) retry_after_ = parse_retry_after(header);
  if (!redirected_ && request_.classify) return request_.classify(answer);
  std::string message = where_ + ": HTTP " + std::to_string(answer.status);
  if (worth_another_try(answer.status)) return {Fault::retry_later, message};
  // A signed address may have expired on the way; a fresh one is made for the next attempt.
  const bool denied = answer.status == 400 || answer.status == 401 || answer.status == 403;
  if (redirected_ && denied && ++denials_ < 3) return {Fault::retry_later, message};
  if (!redirected_ && !answer.body.empty()) message += " (" + printable(answer.body, 200) + ")";
  if (answer.status == 404 || answer.status == 410) message += "; the file is not there";
  return {Fault::refused, message};
}

/// 416: we asked for bytes behind the end. Either we have all of it, or it is another file now.
Result<void> Transfer::range_refused(const http::Response& answer) {
  const auto range = parse_content_range(answer.headers.get("Content-Range"));
  const bool have_all = range && range->total && *range->total == part_.size();
  if (asked_for_rest_ && have_all && !request_.expected_sha256.empty()) {
    complete_ = true;
    return {};
  }
  if (!asked_for_rest_) return turned_down(answer);
  etag_.clear();
  if (auto cleared = part_.clear(); !cleared) return cleared;
  return Error{Fault::retry_later, where_ + ": HTTP 416, the partial file does not belong to this one; starting again"};
}

Result<void> Transfer::begin(const http::Response& head) {
  if (head.status == 200) return begin_whole(head);
  if (head.status == 206 && asked_for_rest_) return begin_rest(head);
  fatal_ = true;
  return Error{Fault::malformed, where_ + ": HTTP " + std::to_string(head.status) + ", where a file was asked for"};
}

Result<void> Transfer::begin_whole(const http::Response& head) {
  if (part_.size() > 0)
    if (auto cleared = part_.clear(); !cleared) return cleared;
  result_.resumed = 0;
  etag_ = strong_etag(head.headers);
  total_ = head.headers.has("Transfer-Encoding") ? std::nullopt : number(trim(head.headers.get("Content-Length")));
  return check_total();
}

Result<void> Transfer::begin_rest(const http::Response& head) {
  const auto range = parse_content_range(head.headers.get("Content-Range"));
  const std::string etag = strong_etag(head.headers);
  const bool fits = range && range->first == part_.size() && (etag_.empty() || etag.empty() || etag == etag_);
  if (!fits) {
    etag_.clear();
    if (auto cleared = part_.clear(); !cleared) return cleared;
    return Error{Fault::retry_later, where_ + ": another range than the one asked for (\"" +
                                         printable(head.headers.get("Content-Range"), 100) + "\"); starting again"};
  }
  if (range->total) total_ = range->total;
  return check_total();
}

Result<void> Transfer::check_total() {
  if (!total_) total_ = request_.expected_size;
  if (!total_) return {};
  if (request_.expected_size && *total_ != *request_.expected_size)
    return differs(std::to_string(*total_) + " bytes instead of " + std::to_string(*request_.expected_size));
  if (*total_ > request_.limit) {
    fatal_ = true;
    return Error{Fault::refused, where_ + ": " + std::to_string(*total_) + " bytes, above the limit of " +
                                     std::to_string(request_.limit) + " bytes; raise the limit if this is right"};
  }
  if (auto room = part_.check_room(*total_ - std::min(*total_, part_.size())); !room) {
    fatal_ = true;  // Waiting here would not make room.
    return room;
  }
  return {};
}

Result<void> Transfer::write(std::string_view bytes) {
  const std::uint64_t after = part_.size() + bytes.size();
  if (after > request_.limit) {
    fatal_ = true;
    return Error{Fault::refused, where_ + ": more than the limit of " + std::to_string(request_.limit) +
                                     " bytes; raise the limit if this is right"};
  }
  if (total_ && after > *total_) return differs("more than " + std::to_string(*total_) + " bytes");
  if (auto written = part_.append(bytes, total_); !written) {
    fatal_ = true;
    return written;
  }
  report(false);
  return {};
}

Error Transfer::differs(const std::string& how) {
  const std::string message = where_.empty() ? request_.target.string() : where_;
  complete_ = false;
  etag_.clear();
  total_ = request_.expected_size;
  // What an earlier call left may be to blame: that does not count as the server's first time.
  if (std::exchange(result_.resumed, 0) == 0) ++mismatches_;
  if (auto cleared = part_.clear(); !cleared) {
    fatal_ = true;
    return cleared.error();
  }
  fatal_ = mismatches_ > 1;
  if (!fatal_) return {Fault::retry_later, message + ": not the expected file: " + how + "; downloading it again"};
  return {Fault::refused,
          message + ": not the expected file, twice: " + how +
              "; the file at the server or its list is wrong (ask who publishes it), or a proxy changes it"};
}

void Transfer::report(bool now) {
  const auto time = std::chrono::steady_clock::now();
  if (!request_.progress || (!now && time - reported_ < options_.progress_every)) return;
  reported_ = time;
  request_.progress({part_.size(), total_});
}

/// Before the next attempt, after so many that failed in a row.
milliseconds Transfer::pause_after(unsigned failures) {
  milliseconds longest = options_.backoff_base;
  for (unsigned i = 1; i < failures && longest < options_.backoff_cap; ++i) longest *= 2;
  longest = std::min(longest, options_.backoff_cap);
  milliseconds wait{std::uniform_int_distribution<milliseconds::rep>{0, longest.count()}(random_)};
  if (retry_after_) wait = std::max(wait, std::min(*retry_after_, options_.retry_after_cap));
  return wait;
}

/// False: it was cancelled meanwhile.
asio::awaitable<bool> Transfer::back_off(milliseconds wait) {
  asio::steady_timer timer{co_await asio::this_coro::executor, wait};
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return !is_stopped(co_await asio::this_coro::cancellation_state);
}

asio::awaitable<Result<Downloaded>> Transfer::finish(std::string sha256) {
  auto work = [from = part_path_, to = request_.target] { return rename_durably(from, to); };
  auto renamed = co_await workers_.run(std::move(work));
  if (!renamed) co_return renamed.error();
  result_.size = part_.size();
  result_.sha256 = std::move(sha256);
  co_return result_;
}

}  // namespace outpost::files
