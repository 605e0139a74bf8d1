#include "agent/log/capture.hpp"

#include <algorithm>

namespace outpost::log {
namespace {

/// From where the redacted log can be made again.
struct Boundary {
  std::uint64_t raw = 0, redacted = 0;
  Redactor::State redactor;

  [[nodiscard]] std::uint64_t needs() const { return raw - std::min<std::uint64_t>(raw, redactor.held); }
};

/// The raw bytes that are there without a hole, back from the last one.
struct Island {
  std::uint64_t begin = 0;
  std::size_t first_part = 0;
};

Island last_island(const std::vector<Segments::Part>& parts) {
  if (parts.empty()) return {};
  std::size_t first = parts.size() - 1;
  while (first > 0 && parts[first - 1].end() == parts[first].file.begin) --first;
  return {parts[first].file.begin, first};
}

/// The last boundary before what has not been cut; else the first one at all that the bytes on the disk allow.
std::optional<Boundary> choose_boundary(const Remains& remains, const Island& island, std::uint64_t log_size) {
  std::vector<Boundary> all{{}};
  for (const auto& segment : remains.segments)
    all.push_back({segment.begin + segment.size, segment.redacted, redactor_state_from_json(segment.redactor)});
  std::optional<Boundary> chosen;
  for (auto& boundary : all) {
    if (boundary.needs() < island.begin || boundary.redacted > log_size) continue;
    if (chosen && boundary.redacted > remains.cut_bytes) break;
    chosen = std::move(boundary);
  }
  return chosen;
}

std::string gap_line(const Gap& gap) {
  const auto bytes = gap.bytes > 0 ? std::to_string(gap.bytes) : std::string{"unknown"};
  return "[gap: " + bytes + " bytes, " + gap.reason + "]\n";
}

/// When a machine loses its power, a file may have got its new length but not its new bytes: its end reads as zeros.
/// Takes those away, but nothing before `fixed`.
Result<void> drop_zeros(const File& file, const std::filesystem::path& path, std::uint64_t fixed) {
  std::vector<char> chunk(std::size_t{64} * 1024);
  const auto size = file.size();
  auto end = size;
  while (end > fixed) {
    const auto length = std::min<std::uint64_t>(chunk.size(), end - fixed);
    const std::span<char> part{chunk.data(), static_cast<std::size_t>(length)};
    if (file.read(end - length, part) < length) return errno_error("cannot read", path.string(), errno);
    const auto last = std::find_if(part.rbegin(), part.rend(), [](char byte) { return byte != '\0'; });
    end -= static_cast<std::uint64_t>(last - part.rbegin());
    if (last != part.rend()) break;
  }
  if (end < size && !file.truncate(end)) return errno_error("cannot shorten", path.string(), errno);
  return {};
}

/// Of segments only the plain ones: the others were synced before an event named them, and have a checksum.
Result<void> drop_zeros_of_segments(const Place& place) {
  for (const auto& segment : segment_files(place)) {
    if (segment.packed) continue;
    const auto path = place.segment(segment.begin);
    const auto file = File::open(path, O_RDWR);
    if (!file.is_open()) return errno_error("cannot open", path.string(), errno);
    if (auto dropped = drop_zeros(file, path, 0); !dropped) return dropped;
    std::error_code ignored;
    if (file.size() == 0) std::filesystem::remove(path, ignored);
  }
  return {};
}

}  // namespace

/// Compares the log that the raw stream gives with the one that is there, and writes from where they part.
class Capture::Rebuild {
 public:
  /// The first `fixed` bytes of the log stay as they are.
  Rebuild(Capture& capture, std::uint64_t fixed)
      : capture_{capture}, fixed_{fixed}, given_back_{capture.log_.data_begin()} {}

  Result<void> run(const Segments& segments, const Remains& remains) {
    const auto island = last_island(segments.parts);
    const auto boundary = choose_boundary(remains, island, capture_.log_size_);
    std::uint64_t from = island.begin;
    if (boundary) {
      from = boundary->needs();
      position_ = boundary->redacted;
      capture_.redactor_.resume(boundary->redactor);
    } else {
      position_ = capture_.log_size_;
      Gap gap{.offset = position_,
              .bytes = missing_before(island.begin, remains),
              .reason = "raw output is missing after a restart"};
      if (auto marked = mark(std::move(gap)); !marked) return marked;
    }
    for (std::size_t number = island.first_part; number < segments.parts.size(); ++number) {
      const auto& part = segments.parts[number];
      if (auto read = feed(part, from); !read) return read;
      if (capture_.ended_ || part.file.packed || part.size == 0) continue;
      capture_.segments_.push_back({.place = capture_.place_,
                                    .begin = part.file.begin,
                                    .size = part.size,
                                    .redacted = parted_ ? capture_.log_size_ : position_,
                                    .redactor = capture_.redactor_.state()});
    }
    return capture_.ended_ ? end() : keep_open();
  }

  /// What had not been synced may be missing, and nobody knows how much. Only one line, however often this is tried.
  Result<void> mark_power_loss() {
    const Gap gap{
        .offset = capture_.log_size_, .bytes = 0, .reason = "the machine went down while the step was running"};
    const auto line = gap_line(gap);
    const auto size = capture_.log_size_;
    if (size >= line.size() && capture_.log_.read(size - line.size(), line.size()) == line) return {};
    if (auto appended = append_line(line); !appended) return appended;
    capture_.gaps_.push_back(gap);
    return {};
  }

 private:
  Result<void> feed(const Segments::Part& part, std::uint64_t from) {
    const auto skip = from - std::min(from, part.file.begin);
    if (skip >= part.size) return {};
    std::uint64_t done = skip;
    auto reader = SegmentReader::open(capture_.place_, part.file);
    Result<void> skipped;
    if (reader) skipped = reader->skip(skip);
    std::vector<char> chunk(std::size_t{256} * 1024);
    while (reader && skipped) {
      const auto size = reader->read(chunk);
      if (!size) {
        skipped = size.error();
        break;
      }
      if (*size == 0) return {};
      done += *size;
      capture_.raw_ends_line_ = chunk[*size - 1] == '\n';
      if (auto merged = merge(capture_.redactor_.feed({chunk.data(), *size})); !merged) return merged;
    }
    const Error& error = reader ? skipped.error() : reader.error();
    if (error.fault != Fault::malformed) return error;
    capture_.problems_.push_back(error.message);
    if (auto merged = merge(capture_.redactor_.flush()); !merged) return merged;
    return mark({.offset = 0, .bytes = part.size - std::min(done, part.size), .reason = "the raw segment is damaged"});
  }

  Result<void> merge(std::string_view redacted) {
    if (!parted_) {
      const auto unseen = std::min<std::uint64_t>(redacted.size(), given_back_ - std::min(given_back_, position_));
      position_ += unseen;
      redacted.remove_prefix(static_cast<std::size_t>(unseen));
      const auto there = capture_.log_.read(position_, redacted.size());
      const auto length = std::min(there.size(), redacted.size());
      const auto common = static_cast<std::size_t>(
          std::mismatch(redacted.begin(), redacted.begin() + static_cast<std::ptrdiff_t>(length), there.begin()).first -
          redacted.begin());
      position_ += common;
      redacted.remove_prefix(common);
      if (redacted.empty()) return {};
      parted_ = true;
      if (auto cleared = clear_rest(); !cleared) return cleared;
    }
    return append(redacted);
  }

  /// What was held back. A log that goes on otherwise has seen more than the raw stream has now, and keeps it.
  Result<void> end() {
    const auto rest = capture_.redactor_.flush();
    if (!parted_) {
      const auto there = capture_.log_.read(std::max(position_, given_back_), rest.size() + 1);
      if (!rest.starts_with(there)) return {};
    }
    return merge(rest);
  }

  /// What an agent that was about to close the log had written of what was held back comes again, with what follows.
  Result<void> keep_open() {
    if (parted_ || position_ >= capture_.log_size_) return {};
    parted_ = true;
    return clear_rest();
  }

  /// Takes away what differs, but never what has been cut.
  Result<void> clear_rest() {
    const auto keep = std::max(position_, fixed_);
    if (!capture_.log_.truncate(keep)) return refused();
    capture_.log_size_ = keep;
    if (position_ >= fixed_) return {};
    return append_line("[redacted anew after a restart: repeated from byte " + std::to_string(position_) + "]\n");
  }

  Result<void> append_line(const std::string& line) {
    const auto size = capture_.log_size_;
    const bool in_line = size > 0 && capture_.log_.read(size - 1, 1) != "\n";
    return append((in_line ? "\n" : "") + line);
  }

  Result<void> append(std::string_view text) {
    const auto done = capture_.log_.write(capture_.log_size_, text);
    capture_.log_size_ += done;
    if (done < text.size()) return refused();
    return {};
  }

  /// A gap, with a line in the redacted log alone: the raw stream is what it is.
  Result<void> mark(Gap gap) {
    const bool log_goes_on = !parted_ && position_ < capture_.log_size_;
    parted_ = true;
    // Nobody knows where what comes next belongs in a log that has seen it already.
    if (log_goes_on) return append_line("[" + gap.reason + ": what follows may be repeated]\n");
    if (gap.bytes == 0) return {};
    const auto line = gap_line(gap);
    if (auto appended = append_line(line); !appended) return appended;
    gap.offset = capture_.log_size_ - line.size();
    capture_.gaps_.push_back(std::move(gap));
    return {};
  }

  static std::uint64_t missing_before(std::uint64_t begin, const Remains& remains) {
    std::uint64_t known = 0;
    for (const auto& segment : remains.segments)
      if (segment.begin + segment.size <= begin) known = std::max(known, segment.begin + segment.size);
    return begin - known;
  }

  [[nodiscard]] Error refused() const {
    return errno_error("cannot write the log file", capture_.place_.log().string(), errno);
  }

  Capture& capture_;
  const std::uint64_t fixed_, given_back_;
  std::uint64_t position_ = 0;
  bool parted_ = false;
};

Result<void> Capture::reopen(const Remains& remains) {
  cut_ = remains.cut_bytes;
  if (remains.machine_restarted)
    if (auto dropped = drop_zeros_of_segments(place_); !dropped) return dropped.error();
  auto segments = reconcile(place_, remains.segments);
  problems_ = std::move(segments.problems);
  const bool any = !segments.parts.empty();
  log_ = File::open(place_.log(), any ? O_RDWR | O_CREAT : O_RDWR, 0640);
  if (!log_.is_open() && (any || errno != ENOENT))
    return errno_error("cannot open the log file", place_.log().string(), errno);
  if (log_.is_open()) {
    if (remains.machine_restarted)
      if (auto dropped = drop_zeros(log_, place_.log(), remains.cut_bytes); !dropped) return dropped.error();
    log_size_ = log_.size();
    times_.resume(log_size_);
    Rebuild rebuild{*this, std::min(remains.cut_bytes, log_size_)};
    if (any)
      if (auto rebuilt = rebuild.run(segments, remains); !rebuilt) return rebuilt.error();
    if (remains.machine_restarted)
      if (auto marked = rebuild.mark_power_loss(); !marked) return marked.error();
    log_ends_line_ = log_size_ == 0 || log_.read(log_size_ - 1, 1) == "\n";
  }
  if (log_size_ < remains.cut_bytes)
    gaps_.push_back({.offset = log_size_,
                     .bytes = remains.cut_bytes - log_size_,
                     .reason = "no longer in the file after a restart"});
  for (const auto& named : remains.segments) digested_ = std::max(digested_, named.begin + named.size);
  if (any) digested_ = std::max(digested_, segments.parts.back().end());
  raw_.go_on_from(digested_);
  return {};
}

Result<Capture> Capture::recover(Place place, Redactor redactor, const Clock& clock, const Remains& remains) {
  Capture capture{std::move(place), std::move(redactor), clock, {}};
  capture.ended_ = true;
  if (auto reopened = capture.reopen(remains); !reopened) return reopened.error();
  return capture;
}

Result<Capture> Capture::resume(Place place, Redactor redactor, const Clock& clock, const Remains& remains,
                                CaptureOptions options) {
  Capture capture{std::move(place), std::move(redactor), clock, options};
  if (auto reopened = capture.reopen(remains); !reopened) return reopened.error();
  return capture;
}

}  // namespace outpost::log
