#include "agent/log/capture.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/units.hpp"
#include "agent/log/capture_file.hpp"

#include <algorithm>
#include <cstring>

namespace outpost::log {

Result<Cut> Piece::sync() const {
  const auto path = place.log();
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return errno_error("cannot open the log file", path.string(), errno);
  const bool synced = ::fdatasync(file) == 0;
  const int code = errno;
  ::close(file);
  if (!synced) return errno_error("cannot sync the log file", path.string(), code);
  if (offset == 0) {  // Its name has to survive too.
    const auto folder = path.parent_path();
    const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return errno_error("cannot open the directory", folder.string(), errno);
    const bool named = ::fsync(directory) == 0;
    const int why = errno;
    ::close(directory);
    if (!named) return errno_error("cannot sync the directory", folder.string(), why);
  }
  const auto hash = sha256_of_file(path, offset, size);
  if (!hash) return hash.error();
  job::Blob blob{.path = place.folder + "/" + place.step + ".log",
                 .sha256 = *hash,
                 .size = size,
                 .mime = "text/plain",
                 .codec = "",
                 .range = job::Blob::Range{offset}};
  return Cut{std::move(blob), last};
}

Capture::Capture(Place place, Redactor redactor, std::uint64_t limit)
    : place_{std::move(place)}, redactor_{std::move(redactor)}, limit_{limit} {}
Capture::Capture(Capture&&) noexcept = default;
Capture& Capture::operator=(Capture&&) noexcept = default;
Capture::~Capture() = default;

Result<Capture> Capture::open(Place place, Redactor redactor, std::uint64_t limit) {
  Capture capture{std::move(place), std::move(redactor), limit};
  if (auto opened = capture.open_files(O_EXCL); !opened) return opened.error();
  return capture;
}

Result<void> Capture::open_files(int flags) {
  auto raw = File::open(place_.raw(), flags, 0600);
  if (!raw) return raw.error();
  auto log = File::open(place_.log(), flags, 0640);
  if (!log) return log.error();
  raw_ = std::move(*raw);
  log_ = std::move(*log);
  return {};
}

void Capture::write(std::string_view bytes) {
  if (closed_ || bytes.empty()) return;
  if (!catch_up()) return drop(bytes.size(), trouble_);
  const auto allowed = bytes.substr(0, limit_ - std::min(limit_, raw_size_));
  const auto kept = allowed.substr(0, raw_->append(allowed));
  if (kept.size() < allowed.size()) trouble_ = std::strerror(errno);
  raw_size_ += kept.size();
  if (!kept.empty()) ends_with_newline_ = kept.back() == '\n';
  // A log that lags behind still gets all that the raw file has; from the next call on nothing more is taken.
  append_to_log(redactor_.feed(kept));
  if (kept.size() == bytes.size()) return;
  limit_reached_ = kept.size() == allowed.size();
  const auto limit_text = "the step's limit of " + format_size(limit_) + " of output is reached";
  drop(bytes.size() - kept.size(), limit_reached_ ? limit_text : trouble_);
}

void Capture::drop(std::uint64_t bytes, std::string reason) {
  if (!gap_) gap_ = Gap{.offset = log_size_ + unwritten_.size(), .bytes = 0, .reason = std::move(reason)};
  gap_->bytes += bytes;
}

/// Writes what the disk has refused before. False while it still refuses.
bool Capture::catch_up() {
  if (!append_to_log({})) return false;
  return !gap_ || limit_reached_ || write_gap_line();
}

bool Capture::append_to_log(std::string_view redacted) {
  unwritten_ += redacted;
  const auto done = log_->append(unwritten_);
  if (done < unwritten_.size()) trouble_ = std::strerror(errno);
  log_size_ += done;
  unwritten_.erase(0, done);
  return unwritten_.empty();
}

/// The line goes into the raw file and through the redactor, so that it is found there again after a crash.
bool Capture::write_gap_line() {
  const auto line = "[gap: " + std::to_string(gap_->bytes) + " bytes, " + gap_->reason + "]\n";
  const auto text = (ends_with_newline_ ? "" : "\n") + line;
  if (const auto done = raw_->append(text); done < text.size()) {
    trouble_ = std::strerror(errno);
    if (raw_->truncate(raw_size_)) return false;
    raw_size_ += done;  // Half a line that cannot be taken back: both files shall have it.
    append_to_log(redactor_.feed(std::string_view{text}.substr(0, done)));
    return false;
  }
  raw_size_ += text.size();
  ends_with_newline_ = true;
  const bool written = append_to_log(redactor_.feed(text));
  const auto total = log_size_ + unwritten_.size();
  gap_->offset = total - std::min<std::uint64_t>(total, line.size());
  gaps_.push_back(*std::exchange(gap_, {}));
  return written;
}

std::optional<Piece> Capture::prepare(bool last) {
  const bool caught_up = catch_up();
  if (last && !closed_) {
    closed_ = true;
    if (gap_ && !(caught_up && write_gap_line()) && gap_) gaps_.push_back(*std::exchange(gap_, {}));
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

std::vector<Gap> Capture::take_gaps() { return std::exchange(gaps_, {}); }

}  // namespace outpost::log
