#pragma once

#include "agent/base/result.hpp"
#include "agent/base/workers.hpp"
#include "agent/job/event.hpp"
#include "agent/log/redactor.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace outpost::log {

/// Where the output of one step is kept: <job_directory>/<folder>/<step>.raw (mode 0600, every byte) and .log (mode
/// 0640, redacted). The folder exists.
struct Place {
  std::filesystem::path job_directory;
  std::string folder = "logs";
  std::string step;

  [[nodiscard]] std::filesystem::path raw() const { return job_directory / folder / (step + ".raw"); }
  [[nodiscard]] std::filesystem::path log() const { return job_directory / folder / (step + ".log"); }
};

/// Output that could not be kept. A line "[gap: 4096 bytes, No space left on device]" stands in its place.
struct Gap {
  std::uint64_t offset = 0;  ///< Of that line in the redacted log.
  std::uint64_t bytes = 0;
  std::string reason;
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

/// Takes in the output of one step. The redacted log is a function of the raw file and the secrets, gap lines included
/// (they are in both), so that after a crash the raw file gives the same log.
///
/// A disk that refuses bytes does not fail the job: they are counted as a gap, whose line is written as soon as the
/// disk takes it; beyond `limit` bytes of a step the same happens for the rest of it.
/// write() and prepare() only write to the page cache and belong on the loop; nothing here is thread-safe.
class Capture {
 public:
  static constexpr std::uint64_t default_limit = 1ULL << 30;

  /// For a step that begins. unavailable when its files are there already or cannot be created.
  static Result<Capture> open(Place place, Redactor redactor, std::uint64_t limit = default_limit);

  /// For a step that ended with the agent: brings the redacted log up to the raw file and closes both, ready for the
  /// last cut. Reads everything: to be called on a worker.
  /// The first `cut_bytes` of the log are at the server already and stay. When the secrets give another log for them
  /// now, the rest begins where the two logs part, after a line that says so: repeated text rather than lost text.
  /// What the log has beyond a torn or missing raw file stays too. Announced bytes that are gone become a gap.
  /// The same call again after an error goes on where that one stopped.
  static Result<Capture> recover(Place place, Redactor redactor, std::uint64_t cut_bytes);

  Capture(Capture&&) noexcept;
  Capture& operator=(Capture&&) noexcept;
  ~Capture();

  void write(std::string_view bytes);
  /// A secret to hide from here on. What has been cut is gone; what is in the log stays there.
  void add_secret(std::string_view secret) { redactor_.add(secret); }

  /// Everything that is decided and not cut yet; nothing when there is nothing. With `last` the stream ends: what was
  /// held back comes out, a gap at the end gets its line, and further output is ignored. Where the disk still refuses,
  /// the piece is not the last one; prepare(true) again, when there may be room, gives the rest.
  [[nodiscard]] std::optional<Piece> prepare(bool last);
  /// The piece has been synced: the next one begins behind it.
  void taken(const Cut& cut);

  /// prepare(), sync() on a worker, taken(). This object has to outlive it; one at a time.
  boost::asio::awaitable<Result<std::optional<Cut>>> cut(Workers& workers, bool last);

  /// Gaps whose lines have been written since the last call, each to be journaled once; after the last prepare() also
  /// one whose line could not be written.
  [[nodiscard]] std::vector<Gap> take_gaps();
  /// The gap that output is falling into now, for an alarm.
  [[nodiscard]] const std::optional<Gap>& open_gap() const { return gap_; }

  /// Whether the stream has ended and its log is all in the file.
  [[nodiscard]] bool complete() const { return closed_ && unwritten_.empty(); }
  [[nodiscard]] std::uint64_t raw_size() const { return raw_size_; }
  /// Bytes of the redacted log in its file.
  [[nodiscard]] std::uint64_t log_size() const { return log_size_; }

 private:
  class File;
  class Rebuild;

  Capture(Place place, Redactor redactor, std::uint64_t limit);
  Result<void> open_files(int flags);

  [[nodiscard]] bool catch_up();
  [[nodiscard]] bool write_gap_line();
  bool append_to_log(std::string_view redacted);  ///< Whether the log's file has everything now.
  void drop(std::uint64_t bytes, std::string reason);

  Place place_;
  Redactor redactor_;
  std::uint64_t limit_;
  std::unique_ptr<File> raw_, log_;
  std::uint64_t raw_size_ = 0, log_size_ = 0, cut_ = 0;
  std::string unwritten_;  ///< Redacted, but refused by the disk; while there is any, output is dropped.
  std::string trouble_;    ///< Why the disk refused last.
  bool ends_with_newline_ = true, closed_ = false, limit_reached_ = false;
  std::optional<Gap> gap_;
  std::vector<Gap> gaps_;
};

}  // namespace outpost::log
