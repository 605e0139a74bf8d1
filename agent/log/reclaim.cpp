#include "agent/log/reclaim.hpp"

#include "agent/log/file.hpp"
#include "agent/log/place.hpp"
#include "agent/log/segment.hpp"

#include <algorithm>

namespace outpost::log {
namespace {

namespace fs = std::filesystem;

/// What a file takes of the disk, holes not counted.
std::uint64_t on_disk(const fs::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * 512 : 0;
}

/// Raw bytes before this are not needed any more: the delivered log can be gone on with from a later place.
std::uint64_t needless_before(const job::StepRecord& step, std::uint64_t delivered) {
  if (step.ended && delivered >= step.cut_bytes) return UINT64_MAX;
  std::uint64_t begin = 0;
  for (const auto& segment : step.segments) {
    if (segment.redacted > std::min(delivered, step.cut_bytes)) break;
    const auto end = segment.begin + segment.size;
    begin = end - std::min<std::uint64_t>(end, redactor_state_from_json(segment.redactor).held);
  }
  return begin;
}

void add_segments(const Place& place, const job::StepRecord& step, std::uint64_t delivered,
                  std::vector<Freeable>& found) {
  const auto before = needless_before(step, delivered);
  const auto files = segment_files(place);
  for (std::size_t index = 0; index < files.size(); ++index) {
    const auto& file = files[index];
    const auto is_next = [&](const auto& other) { return other.begin > file.begin; };
    const auto next = std::find_if(files.begin() + static_cast<std::ptrdiff_t>(index), files.end(), is_next);
    // The segment ends where the next one begins; of a step that runs the last one is being written.
    if (before != UINT64_MAX && (next == files.end() || next->begin > before)) continue;
    const auto name = file.packed ? place.packed_name(file.begin) : place.segment_name(file.begin);
    found.push_back({step.id, {.path = name, .size = file.bytes}, on_disk(place.job_directory / name)});
  }
}

void add_log(const Place& place, std::uint64_t delivered, std::vector<Freeable>& found) {
  const auto log = File::open(place.log(), O_RDONLY);
  struct stat status{};
  if (!log.is_open() || ::fstat(log.descriptor(), &status) != 0) return;
  const auto block = static_cast<std::uint64_t>(std::max<blksize_t>(status.st_blksize, 512));
  const auto end =
      std::min(delivered, static_cast<std::uint64_t>(status.st_size)) / block * block;  // Whole blocks only.
  const auto begin = log.data_begin() / block * block;
  if (begin >= end) return;
  found.push_back({place.step, {.path = place.log_name(), .size = end, .range = job::Blob::Range{0}}, end - begin});
}

}  // namespace

std::vector<Freeable> freeable(const fs::path& job_directory, const job::Story& story,
                               const std::map<std::string, std::uint64_t>& delivered) {
  std::vector<Freeable> found;
  const auto each = [&](auto&& add) {
    for (const auto& step : story.steps)
      if (const auto so_far = delivered.find(step.id); so_far != delivered.end())
        add(Place{.job_directory = job_directory, .folder = "logs", .step = step.id}, step, so_far->second);
  };
  each([&](const Place& place, const job::StepRecord& step, std::uint64_t bytes) {
    add_segments(place, step, bytes, found);
  });
  each([&](const Place& place, const job::StepRecord&, std::uint64_t bytes) { add_log(place, bytes, found); });
  return found;
}

Result<std::uint64_t> free(const fs::path& job_directory, const Freeable& what) {
  const auto path = job_directory / what.blob.path;
  const auto before = on_disk(path);
  if (!what.blob.range) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error("cannot remove", path.string(), errno);
    return before;
  }
  const auto file = File::open(path, O_WRONLY);
  if (!file.is_open() && errno == ENOENT) return std::uint64_t{0};
  if (!file.is_open()) return errno_error("cannot open", path.string(), errno);
  if (::fallocate(file.descriptor(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  static_cast<off_t>(what.blob.range->offset), static_cast<off_t>(what.blob.size)) != 0)
    return errno_error("cannot free a part of", path.string(), errno);
  const auto after = on_disk(path);
  return before - std::min(before, after);
}

}  // namespace outpost::log
