#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "agent/base/workers.hpp"
#include "agent/job/event.hpp"
#include "agent/log/file.hpp"
#include "agent/log/place.hpp"
#include "agent/log/raw_stream.hpp"
#include "agent/log/redactor.hpp"
#include "agent/log/segment.hpp"
#include "agent/log/time_index.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace outpost::log {

/// Output that could not be kept. A line "[gap: 4096 bytes, No space left on device]" stands in its place.
struct Gap {
  std::uint64_t offset = 0;  ///< Of that line in the redacted log.
  std::uint64_t bytes = 0;   ///< 0: nobody knows how many.
  std::string reason;
  bool marked = true;  ///< The line is in the log.
};

/// A piece of the redacted log that is on disk, for an event to name: the blob's range starts where the previous piece
/// ended.
struct Cut {
  job::Blob blob;
  bool last = false;
};

/// A piece that has been written, but not synced.
struct Piece {
  Place place;
  std::uint64_t offset = 0, size = 0;
  bool last = false;

  /// Syncs the file (and its folder, for the first piece) and hashes the piece. Blocks: to be called on a worker.
  /// It owns what it uses. retry_later or unavailable when the disk refuses; the piece can be prepared again.
  [[nodiscard]] Result<Cut> sync() const;
};

struct CaptureOptions {
  std::uint64_t limit = 1ULL << 30;         ///< Bytes of a step's output that are kept.
  std::uint64_t segment_size = 4ULL << 20;  ///< A segment is closed when it has so many bytes...
  std::chrono::milliseconds segment_age = std::chrono::minutes{1};  ///< ...or is so old.
};

/// What is known of the output of a step from before a restart of the agent.
struct Remains {
  std::uint64_t cut_bytes = 0;            ///< So much of the redacted log has been named by events.
  std::vector<job::LogSegment> segments;  ///< Those that events name.
  bool machine_restarted = false;         ///< Not only the agent died: what was not synced may be missing.
};

/// Takes in the output of one step: from the pipe into segments on the disk, and from there, without the secrets, into
/// the redacted log. That log is a function of the raw stream and the secrets, gap lines included (they are in both),
/// so that after a crash the segments give the same log, and offsets in it never change.
///
/// A disk that refuses bytes loses nothing by itself: they stay in the pipe, and whoever calls decides between waiting
/// and drop(), which counts them as a gap. Its line is written as soon as the disk takes it. Beyond the limit of a step
/// the rest of its output is dropped.
/// Memory is constant, whatever comes. take(), write() and prepare() only write to the page cache and belong on the
/// loop; nothing here is thread-safe.
class Capture {
 public:
  /// As much as is taken in one go: what a pipe holds, and a millisecond of work.
  static constexpr std::size_t one_turn = std::size_t{256} * 1024;

  /// For a step that begins. unavailable when its files are there already. `clock` outlives it.
  static Result<Capture> open(Place place, Redactor redactor, const Clock& clock, CaptureOptions options = {});

  /// For a step that ended with the agent: brings the redacted log up to the raw stream and closes both, ready for the
  /// last cut. It begins where the last piece ended, as near as a closed segment allows, and reads everything from
  /// there: to be called on a worker.
  /// What has been cut is at the servers already and stays. When the secrets give another log for it now, the rest
  /// begins where the two logs part, after a line that says so: repeated text rather than lost text. What the log has
  /// beyond a torn or missing raw stream stays too. What is missing becomes a gap.
  /// The same call again after an error or a crash goes on where that one stopped.
  static Result<Capture> recover(Place place, Redactor redactor, const Clock& clock, const Remains& remains);

  /// For a step that has outlived the agent: the same, but the stream is not at its end, and goes on in a new segment.
  /// Output that the dead agent had dropped and not marked yet stays unmarked.
  static Result<Capture> resume(Place place, Redactor redactor, const Clock& clock, const Remains& remains,
                                CaptureOptions options = {});

  struct Taken {
    std::size_t bytes = 0;
    bool end = false;  ///< Every writer has closed the pipe.
    int refused = 0;   ///< Why the disk takes nothing (errno); the bytes wait in the pipe.
  };
  /// Takes what is in the pipe, or a FIFO, up to `limit` bytes; nothing when it is empty.
  Taken take(int pipe, std::size_t limit = one_turn);
  /// Reads up to `limit` bytes from the pipe and throws them away, as a gap with the reason `why` (errno); 0: that of the
  /// last refusal.
  Taken drop(int pipe, std::size_t limit = one_turn, int why = 0);
  /// Lines of the agent's own. What the disk refuses is dropped.
  void write(std::string_view bytes);
  /// A line in the place of output that is missing, nobody knows how much. What the disk refuses is dropped.
  void mark_unknown_gap(std::string_view why);

  /// A secret to hide from here on. What has been cut is gone; what is in the log stays there.
  void add_secret(std::string_view secret) { redactor_.add(secret); }
  /// Is given the redacted output as it gets into the log.
  void show_to(std::function<void(std::string_view)> show) { show_ = std::move(show); }

  /// Everything that is decided and not cut yet; nothing when there is nothing. With `last` the stream ends: what was
  /// held back comes out, a gap at the end gets its line, and further output is ignored. Where the disk still refuses,
  /// the piece is not the last one; prepare(true) again, when there may be room, gives the rest.
  [[nodiscard]] std::optional<Piece> prepare(bool last);
  /// The piece has been synced: the next one begins behind it.
  void taken(const Cut& cut);
  /// prepare(), sync() on a worker, taken(). This object has to outlive it; one at a time.
  boost::asio::awaitable<Result<std::optional<Cut>>> cut(Workers& workers, bool last);

  /// When the open segment will be too old (time since boot); nothing when there is none.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> segment_due() const;
  /// Closes the open segment, if it has bytes. False when the disk still refuses what the log needs of it.
  bool close_segment();
  /// Closed segments that are to be packed, the oldest first; named() forgets the first `count` of them.
  [[nodiscard]] const std::vector<Segment>& closed() const { return segments_; }
  void named(std::size_t count) {
    segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(count));
  }

  /// Gaps whose lines have been written since the last call, each to be journaled once; after the last prepare() also
  /// one whose line could not be written.
  [[nodiscard]] std::vector<Gap> take_gaps() { return std::exchange(gaps_, {}); }
  /// The gap that output is falling into now.
  [[nodiscard]] const std::optional<Gap>& open_gap() const { return gap_; }
  /// What recover() missed, for people.
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

  /// Whether the stream has ended and its log is all in the file.
  [[nodiscard]] bool complete() const { return ended_ && unwritten_.empty(); }
  [[nodiscard]] std::uint64_t raw_size() const { return raw_.size(); }
  /// Bytes of the redacted log in its file.
  [[nodiscard]] std::uint64_t log_size() const { return log_size_; }
  [[nodiscard]] const Place& place() const { return place_; }

 private:
  class Rebuild;

  Capture(Place place, Redactor redactor, const Clock& clock, CaptureOptions options);

  [[nodiscard]] Result<void> reopen(const Remains& remains);
  [[nodiscard]] bool catch_up();
  [[nodiscard]] bool digest();
  [[nodiscard]] bool write_gap_line();
  bool append_to_log(std::string_view redacted);  ///< Whether the log's file has everything now.
  [[nodiscard]] bool ensure_log();
  void grown();
  void count_dropped(std::uint64_t bytes, std::string reason);
  [[nodiscard]] std::string reason() const;

  Place place_;
  Redactor redactor_;
  const Clock* clock_;
  CaptureOptions options_;
  RawStream raw_;
  File log_;
  TimeIndex times_;
  std::function<void(std::string_view)> show_;
  std::vector<char> buffer_;  ///< Between the raw stream and the redactor.

  std::uint64_t digested_ = 0;  ///< So much of the raw stream the redactor has seen.
  std::uint64_t log_size_ = 0, cut_ = 0;
  std::string unwritten_;  ///< Redacted, but refused by the disk; while there is any, nothing more is taken.
  int trouble_ = 0;        ///< Why the disk refused last.
  bool raw_ends_line_ = true, log_ends_line_ = true, line_began_ = false;
  bool ended_ = false, limit_reached_ = false;
  std::chrono::nanoseconds segment_began_{};
  std::vector<Segment> segments_;
  std::optional<Gap> gap_;
  std::vector<Gap> gaps_;
  std::vector<std::string> problems_;
};

}  // namespace outpost::log
