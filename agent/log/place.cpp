#include "agent/log/place.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>
#include <tuple>

namespace outpost::log {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t digits = 12;

/// "000000004096" or "000000004096.zst".
std::optional<SegmentFile> parse(std::string_view name) {
  constexpr std::string_view suffix = ".zst";
  SegmentFile file;
  file.packed = name.ends_with(suffix);
  if (file.packed) name.remove_suffix(suffix.size());
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), file.begin);
  if (name.size() < digits || error != std::errc{} || end != name.data() + name.size()) return {};
  return file;
}

}  // namespace

std::string Place::segment_name(std::uint64_t begin) const {
  auto number = std::to_string(begin);
  number.insert(0, digits - std::min(digits, number.size()), '0');
  return folder + "/" + step + ".raw." + number;
}

std::vector<SegmentFile> segment_files(const Place& place) {
  const std::string beginning = place.step + ".raw.";
  std::vector<SegmentFile> found;
  std::error_code error;
  for (fs::directory_iterator entry{place.directory(), error}, end; !error && entry != end; entry.increment(error)) {
    const auto name = entry->path().filename().string();
    if (!name.starts_with(beginning)) continue;
    auto file = parse(std::string_view{name}.substr(beginning.size()));
    std::error_code gone;
    if (!file || !entry->is_regular_file(gone)) continue;
    file->bytes = entry->file_size(gone);
    if (!gone) found.push_back(*file);
  }
  std::sort(found.begin(), found.end(), [](const auto& left, const auto& right) {
    return std::tie(left.begin, left.packed) < std::tie(right.begin, right.packed);
  });
  return found;
}

}  // namespace outpost::log
