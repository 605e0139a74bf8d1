#include "agent/pipeline/step_log.hpp"

#include "agent/base/background.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event_types.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace outpost::pipeline {

namespace asio = boost::asio;
using std::chrono::steady_clock;

namespace {

constexpr auto room_pause = std::chrono::seconds{5};   ///< Before room is asked for again that could not be made.
constexpr auto pack_pause = std::chrono::seconds{30};  ///< After segments could not be compressed.
constexpr std::size_t pack_at_once = 2;                ///< Segments that become durable together.

bool is_full(int code) { return code == ENOSPC || code == EDQUOT || code == EFBIG; }

/// Compresses them and makes the files durable: then events may name them.
Result<std::vector<job::Blob>> pack_all(const std::vector<log::Segment>& segments) {
  std::vector<job::Blob> blobs;
  for (const auto& segment : segments) {
    auto blob = segment.pack();
    if (!blob) return blob.error();
    blobs.push_back(std::move(*blob));
  }
  if (auto synced = log::sync_for_naming(segments.front().place); !synced) return synced.error();
  return blobs;
}

}  // namespace

StepLog::StepLog(Ports ports, StepNames names, log::Capture capture, unsigned cuts)
    : ports_{std::move(ports)}, names_{std::move(names)}, capture_{std::move(capture)}, plan_{ports_.options.cuts, cuts}, wakeup_{ports_.executor} {
  if (!ports_.options.show) return;
  capture_.show_to([this](std::string_view output) { ports_.options.show(names_.step_id, output); });
}

// ---- taking output in ----------------------------------------------------------------------------------------------

asio::awaitable<process::Taken> StepLog::take(int pipe, std::size_t limit) {
  for (;;) {
    const bool had_segment = capture_.segment_due().has_value();
    const auto taken = has_room() ? capture_.take(pipe, limit) : log::Capture::Taken{.refused = ENOSPC};
    if (taken.refused == 0) {
      tell(0);
      if (!capture_.closed().empty() || (!had_segment && capture_.segment_due())) wakeup_.notify();
      co_return process::Taken{taken.bytes, taken.end};
    }
    if (is_full(taken.refused)) {
      const bool room = co_await made_room();
      if (room) continue;
      tell(taken.refused);
      const auto dropped = capture_.drop(pipe, limit, taken.refused);
      co_return process::Taken{dropped.bytes, dropped.end};
    }
    tell(taken.refused);
    asio::steady_timer timer{ports_.executor, ports_.options.disk_pause};
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

asio::awaitable<bool> StepLog::made_room() {
  if (!ports_.options.make_room || steady_clock::now() < ask_after_) co_return false;
  const bool made = co_await ports_.options.make_room();
  if (!made) ask_after_ = steady_clock::now() + room_pause;
  co_return made;
}

void StepLog::tell(int refused) {
  if (refused == std::exchange(told_, refused) || !ports_.options.trouble) return;
  const auto log = capture_.place().log().string();
  if (refused == 0) return ports_.options.trouble(log, {});
  auto error = errno_error("cannot write", log, refused);
  error.message += is_full(refused) ? "; output is dropped, and a mark in the log says how much: free some space"
                                    : "; the step waits until the disk is back";
  ports_.options.trouble(log, error);
}

void StepLog::add_secret(std::string_view secret) {
  capture_.add_secret(secret);
  if (capture_.log_size() == 0) return;
  warn("a secret was announced after " + std::to_string(capture_.log_size()) +
       " bytes of the log had been written; it is hidden from here on, but what has been sent cannot be recalled");
}

// ---- pieces and segments -------------------------------------------------------------------------------------------

asio::awaitable<void> StepLog::tend() {
  auto cut_due = next_cut();
  while (!stopped_) {
    if (!capture_.closed().empty() && steady_clock::now() >= pack_after_) {
      co_await pack();
      continue;
    }
    const auto due = std::min(cut_due, segment_due());
    if (const auto now = steady_clock::now(); due > now) co_await wakeup_.wait(due == Moment::max() ? std::chrono::hours{24} : due - now);
    if (stopped_) co_return;
    if (segment_due() == Moment::min() && !capture_.close_segment()) close_after_ = steady_clock::now() + ports_.options.disk_pause;
    if (steady_clock::now() < cut_due) continue;
    if (co_await cut(false)) {
      plan_.piece_made();
      co_await ports_.record.commit();
    }
    cut_due = next_cut();
  }
}

void StepLog::stop() {
  stopped_ = true;
  wakeup_.notify();
}

StepLog::Moment StepLog::next_cut() const {
  const auto due = plan_.next();
  return due ? steady_clock::now() + *due : Moment::max();
}

StepLog::Moment StepLog::segment_due() const {
  const auto due = capture_.segment_due();
  if (!due) return Moment::max();
  const auto left = *due - ports_.clock.since_boot();
  if (left <= std::chrono::nanoseconds{}) return steady_clock::now() < close_after_ ? close_after_ : Moment::min();
  return steady_clock::now() + std::min<std::chrono::nanoseconds>(left, std::chrono::hours{24});
}

/// File, sync, event, and only then the plain file goes.
asio::awaitable<void> StepLog::pack() {
  const auto& closed = capture_.closed();
  // They need room for a moment before they save some.
  const std::size_t most = has_room() ? pack_at_once : 1;
  const std::vector<log::Segment> batch{closed.begin(), closed.begin() + static_cast<std::ptrdiff_t>(std::min(closed.size(), most))};
  Workers* const packers = ports_.options.packers;
  auto packing = [batch, alone = packers != nullptr] {
    if (alone) work_in_background();
    return pack_all(batch);
  };
  const auto blobs = co_await (packers ? *packers : ports_.workers).run(std::move(packing));
  if (!blobs) {  // The plain files are as good; they only take more room.
    pack_after_ = steady_clock::now() + pack_pause;
    co_return;
  }
  for (std::size_t index = 0; index < batch.size(); ++index) {
    const auto& segment = batch[index];
    note(job::event::log_segment, {{"begin", segment.begin}, {"size", segment.size}, {"redacted", segment.redacted},
                                   {"redactor", log::to_json(segment.redactor)}})
        .blobs.push_back((*blobs)[index]);
  }
  co_await ports_.record.commit();
  capture_.named(batch.size());
  auto removal = [batch] {
    for (const auto& segment : batch) segment.remove_plain();
    return true;
  };
  co_await ports_.workers.run(std::move(removal));
}

asio::awaitable<void> StepLog::cut_last() {
  co_await cut(true);
  tell(0);
  for (const auto& problem : capture_.problems()) warn(problem);
}

/// Notes the piece that is there, if any, and the gaps in it.
asio::awaitable<bool> StepLog::cut(bool last) {
  auto piece = co_await capture_.cut(ports_.workers, last);
  for (const auto& gap : capture_.take_gaps()) {
    note(job::event::log_gap, {{"offset", gap.offset}, {"bytes", gap.bytes}, {"reason", gap.reason}});
    if (!gap.marked) warn(std::to_string(gap.bytes) + " bytes of output are missing at the end of the log: " + printable(gap.reason));
  }
  if (!piece) {
    // The bytes stay in the file; the next cut takes them along.
    if (last) warn("the end of the log could not be synced: " + printable(piece.error().message));
    co_return false;
  }
  if (!*piece) co_return false;
  note(job::event::log_cut, {{"last", (*piece)->last}}).blobs.push_back((*piece)->blob);
  co_return true;
}

}  // namespace outpost::pipeline
