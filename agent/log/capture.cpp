#include "agent/log/capture.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/sync.hpp"
#include "agent/base/units.hpp"

#include <algorithm>
#include <cstring>

namespace outpost::log {
namespace {

constexpr std::size_t chunk_size = std::size_t{64} * 1024;

}  // namespace

Result<Cut> Piece::sync() const {
  const auto path = place.log();
  const auto file = File::open(path, O_RDONLY);
  if (!file.is_open()) return errno_error("cannot open the log file", path.string(), errno);
  if (!file.sync()) return errno_error("cannot sync the log file", path.string(), errno);
  if (offset == 0)  // Its name has to survive too.
    if (auto synced = sync_directory(place.directory()); !synced) return synced.error();
  const auto hash = sha256_of_file(path, offset, size);
  if (!hash) return hash.error();
  job::Blob blob{.path = place.log_name(),
                 .sha256 = *hash,
                 .size = size,
                 .mime = "text/plain",
                 .codec = "",
                 .range = job::Blob::Range{offset}};
  return Cut{std::move(blob), last};
}

Capture::Capture(Place place, Redactor redactor, const Clock& clock, CaptureOptions options)
    : place_{std::move(place)},
      redactor_{std::move(redactor)},
      clock_{&clock},
      options_{options},
      raw_{place_, options.segment_size},
      times_{place_.times()} {}

Result<Capture> Capture::open(Place place, Redactor redactor, const Clock& clock, CaptureOptions options) {
  std::error_code error;
  for (const auto& path : {place.segment(0), place.packed(0), place.log()})
    if (std::filesystem::exists(path, error)) return errno_error("cannot make the log file", path.string(), EEXIST);
  return Capture{std::move(place), std::move(redactor), clock, options};
}

// ---- from the pipe to the raw stream
// ---------------------------------------------------------------------------------

Capture::Taken Capture::take(int pipe, std::size_t limit) {
  if (ended_) return drop(pipe, limit);
  if (!catch_up()) return {.refused = trouble_};
  const auto allowed = std::min<std::uint64_t>(limit, options_.limit - std::min(options_.limit, raw_.size()));
  if (allowed == 0) {
    limit_reached_ = true;
    return drop(pipe, limit);
  }
  const auto got = raw_.take(pipe, static_cast<std::size_t>(allowed));
  if (got.error == EAGAIN) return {};
  if (got.error != 0) return {.refused = trouble_ = got.error};
  if (got.bytes > 0) grown();
  return {.bytes = got.bytes, .end = got.bytes == 0};
}

Capture::Taken Capture::drop(int pipe, std::size_t limit, int why) {
  if (why != 0) trouble_ = why;
  buffer_.resize(chunk_size);
  Taken dropped;
  while (dropped.bytes < limit) {
    const auto size = ::read(pipe, buffer_.data(), std::min(buffer_.size(), limit - dropped.bytes));
    if (size < 0 && errno == EINTR) continue;
    dropped.end = size == 0;
    if (size <= 0) break;
    dropped.bytes += static_cast<std::size_t>(size);
  }
  if (dropped.bytes > 0 && !ended_) count_dropped(dropped.bytes, reason());
  return dropped;
}

void Capture::write(std::string_view bytes) {
  if (ended_ || bytes.empty()) return;
  if (!catch_up()) return count_dropped(bytes.size(), reason());
  const auto allowed = bytes.substr(0, options_.limit - std::min(options_.limit, raw_.size()));
  const auto got = raw_.append(allowed);
  if (got.error != 0) trouble_ = got.error;
  if (got.bytes > 0) grown();
  if (got.bytes == bytes.size()) return;
  limit_reached_ = got.bytes == allowed.size();
  count_dropped(bytes.size() - got.bytes, reason());
}

void Capture::mark_unknown_gap(std::string_view why) {
  static_cast<void>(catch_up());  // Only then it is known where the last line ends.
  write((raw_ends_line_ ? "" : "\n") + ("[gap: unknown bytes, " + std::string{why} + "]\n"));
}

std::string Capture::reason() const {
  if (limit_reached_) return "the step's limit of " + format_size(options_.limit) + " of output is reached";
  return std::strerror(trouble_);
}

void Capture::count_dropped(std::uint64_t bytes, std::string reason) {
  if (!gap_) gap_ = Gap{.offset = log_size_ + unwritten_.size(), .bytes = 0, .reason = std::move(reason)};
  gap_->bytes += bytes;
}

// ---- from the raw stream to the redacted log
// -------------------------------------------------------------------------

/// There are new bytes in the raw stream.
void Capture::grown() {
  if (raw_.begin() == digested_) segment_began_ = clock_->since_boot();
  const auto offset = log_size_ + unwritten_.size();
  // A log that the disk refuses still gets all that the raw stream has; until then nothing more is taken.
  const bool all = digest();
  if (std::exchange(line_began_, false)) times_.note(offset, *clock_);
  if (all && raw_.full()) close_segment();
}

/// Writes what the disk has refused before. False while it still refuses.
bool Capture::catch_up() { return digest() && (!gap_ || limit_reached_ || write_gap_line()); }

bool Capture::digest() {
  while (append_to_log({}) && digested_ < raw_.size()) {
    buffer_.resize(chunk_size);
    const auto wanted = std::min<std::uint64_t>(buffer_.size(), raw_.size() - digested_);
    const auto size = raw_.read(digested_, std::span{buffer_}.first(static_cast<std::size_t>(wanted)));
    if (size == 0 && errno != 0) {
      trouble_ = errno;
      return false;
    }
    if (size == 0) {  // It would never come back.
      count_dropped(raw_.size() - std::exchange(digested_, raw_.size()), "its file was made shorter by somebody else");
      break;
    }
    digested_ += size;
    raw_ends_line_ = buffer_[size - 1] == '\n';
    append_to_log(redactor_.feed({buffer_.data(), size}));
  }
  return unwritten_.empty();
}

bool Capture::append_to_log(std::string_view redacted) {
  if (!redacted.empty()) {
    const auto newline = redacted.find('\n');
    line_began_ = line_began_ || log_ends_line_ || newline < redacted.size() - 1;
    log_ends_line_ = redacted.back() == '\n';
    if (show_) show_(redacted);
  }
  if (!unwritten_.empty()) redacted = unwritten_ += redacted;
  if (redacted.empty()) return true;
  const auto done = ensure_log() ? log_.write(log_size_, redacted) : 0;
  if (done < redacted.size()) trouble_ = errno;
  log_size_ += done;
  unwritten_ = std::string{redacted.substr(done)};
  return unwritten_.empty();
}

bool Capture::ensure_log() {
  if (!log_.is_open()) log_ = File::open(place_.log(), O_RDWR | O_CREAT | O_EXCL, 0640);
  return log_.is_open();
}

/// The line goes into the raw stream and through the redactor, so that it is found there again after a crash.
bool Capture::write_gap_line() {
  const auto line = "[gap: " + std::to_string(gap_->bytes) + " bytes, " + gap_->reason + "]\n";
  const auto before = raw_.size();
  const auto text = (raw_ends_line_ ? "" : "\n") + line;
  if (const auto got = raw_.append(text); got.bytes < text.size()) {
    trouble_ = got.error;
    // Half a line that cannot be taken back: both files shall have it.
    if (!raw_.take_back(before)) grown();
    return false;
  }
  grown();
  const auto total = log_size_ + unwritten_.size();
  gap_->offset = total - std::min<std::uint64_t>(total, line.size());
  gaps_.push_back(*std::exchange(gap_, {}));
  return unwritten_.empty();
}

// ---- pieces and segments
// ---------------------------------------------------------------------------------------------

std::optional<Piece> Capture::prepare(bool last) {
  const bool caught_up = catch_up();
  if (last && !ended_) {
    ended_ = true;
    if (gap_ && !(caught_up && write_gap_line()) && gap_) {
      gap_->marked = false;
      gaps_.push_back(*std::exchange(gap_, {}));
    }
    append_to_log(redactor_.flush());
  }
  if (log_size_ <= cut_) return {};
  return Piece{.place = place_, .offset = cut_, .size = log_size_ - cut_, .last = last && complete()};
}

void Capture::taken(const Cut& cut) { cut_ = cut.blob.range->offset + cut.blob.size; }

boost::asio::awaitable<Result<std::optional<Cut>>> Capture::cut(Workers& workers, bool last) {
  const auto piece = prepare(last);
  if (!piece) co_return std::optional<Cut>{};
  auto work = [piece = *piece] { return piece.sync(); };
  auto synced = co_await workers.run(std::move(work));
  if (!synced) co_return std::move(synced).error();
  taken(*synced);
  co_return std::optional<Cut>{std::move(*synced)};
}

std::optional<std::chrono::nanoseconds> Capture::segment_due() const {
  if (raw_.length() == 0) return {};
  return segment_began_ + options_.segment_age;
}

bool Capture::close_segment() {
  if (raw_.length() == 0) return true;
  if (!digest()) return false;
  segments_.push_back({.place = place_,
                       .begin = raw_.begin(),
                       .size = raw_.length(),
                       .redacted = log_size_,
                       .redactor = redactor_.state()});
  raw_.close();
  return true;
}

}  // namespace outpost::log
