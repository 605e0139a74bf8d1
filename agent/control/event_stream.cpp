#include "agent/control/event_stream.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/wakeup.hpp"
#include "agent/control/answer.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <charconv>
#include <memory>
#include <optional>

namespace outpost::control {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::chrono::seconds keep_alive{15};

/// What one reader has not been told yet.
struct Stream {
  Stream(const asio::any_io_executor& loop, std::shared_ptr<std::size_t> open) : news{loop}, all{std::move(open)} { ++*all; }
  ~Stream() { --*all; }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  std::string waiting;  ///< Ready to be sent.
  std::size_t events = 0;
  bool too_slow = false;
  Wakeup news;
  std::shared_ptr<std::size_t> all;  ///< How many there are.
  std::shared_ptr<void> subscription;
};

std::string head_of(const std::string& journal_id, job::Seq seq) { return "id: " + journal_id + ":" + std::to_string(seq) + "\n"; }

std::string text_of(const std::string& journal_id, const job::Event& event) {
  json::object data{{"seq", event.seq}, {"type", event.type}, {"at", to_rfc3339(event.occurred_at)}};
  if (!event.job_id.empty()) data["job_id"] = event.job_id;
  if (!event.step_id.empty()) data["step_id"] = event.step_id;
  if (const auto stage = job::text_at(event.data, "stage"); !stage.empty()) data["stage"] = stage;
  return head_of(journal_id, event.seq) + "data: " + json::serialize(data) + "\n\n";
}

std::string alone(const std::string& journal_id, job::Seq seq, const char* name) {
  return head_of(journal_id, seq) + "event: " + name + "\ndata: {}\n\n";
}

/// "<journal id>:<seq>" of this journal.
std::optional<job::Seq> seq_in(std::string_view id, std::string_view journal_id) {
  const auto colon = id.rfind(':');
  if (colon == std::string_view::npos || id.substr(0, colon) != journal_id) return std::nullopt;
  job::Seq seq = 0;
  const auto text = id.substr(colon + 1);
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), seq);
  if (error != std::errc{} || rest != text.data() + text.size()) return std::nullopt;
  return seq;
}

/// What a reader has missed that was last told `id`; "" for a new one.
std::string missed(journal::Journal& journal, std::string_view id, std::size_t limit) {
  const std::string journal_id = journal.journal_id();
  if (id.empty()) return alone(journal_id, journal.last(), "hello");
  const auto seq = seq_in(id, journal_id);
  if (!seq || *seq > journal.last()) return alone(journal_id, journal.last(), "reset");
  const auto events = journal.read({.after = *seq, .limit = limit});
  if (!events || events->size() == limit) return alone(journal_id, journal.last(), "reset");
  std::string text = alone(journal_id, *seq, "hello");
  for (const auto& event : *events) text += text_of(journal_id, event);
  return text;
}

asio::awaitable<Result<std::string>> next_of(std::shared_ptr<Stream> stream) {
  while (stream->waiting.empty() && !stream->too_slow) {
    const bool told = co_await stream->news.wait(keep_alive);
    if (!told) co_return ": still here\n\n";
  }
  stream->events = 0;
  if (stream->too_slow) co_return std::string{};
  co_return std::exchange(stream->waiting, {});
}

}  // namespace

http::ServerResponse EventStreams::open(std::string_view last_event_id) const {
  if (*open_ >= limits_.streams) return problem(503, "too many pages listen already; try again when some are closed");
  auto stream = std::make_shared<Stream>(loop_, open_);
  stream->waiting = missed(journal_, last_event_id, limits_.queue);
  // The listener must not own what owns it.
  stream->subscription = journal_.subscribe([&journal = journal_, limits = limits_, weak = std::weak_ptr{stream}](const job::Event& event) {
    const auto reader = weak.lock();
    if (!reader || reader->too_slow) return;
    reader->too_slow = ++reader->events > limits.queue;
    reader->waiting += text_of(journal.journal_id(), event);
    if (reader->too_slow) reader->waiting = {};
    reader->news.notify();
  });
  http::ServerResponse response;
  response.headers.set("Content-Type", "text/event-stream");
  response.headers.set("Cache-Control", "no-store");
  response.body = http::Producer{[stream] { return next_of(stream); }};
  return response;
}

}  // namespace outpost::control
