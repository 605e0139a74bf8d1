#include "plugins/junit/workspace_files.hpp"

#include "agent/base/text.hpp"
#include "agent/files/safe_path.hpp"
#include "plugins/junit/leftover_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <span>
#include <system_error>

namespace outpost::junit {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_entries = 200'000;  ///< That are looked at.

bool matches(std::span<const std::string> parts, std::span<const std::string> patterns) {
  if (patterns.empty()) return parts.empty();
  if (patterns.front() == "**") {
    for (std::size_t skipped = 0; skipped <= parts.size(); ++skipped)
      if (matches(parts.subspan(skipped), patterns.subspan(1))) return true;
    return false;
  }
  return !parts.empty() && matches_glob(parts.front(), patterns.front()) && matches(parts.subspan(1), patterns.subspan(1));
}

std::vector<std::string> parts_of(std::string_view path) {
  auto parts = split(path, '/');
  // "**/**" says no more than "**", and would take long to find out.
  parts.erase(std::unique(parts.begin(), parts.end(), [](const auto& left, const auto& right) { return left == "**" && right == "**"; }), parts.end());
  return parts;
}

Result<void> copy(const fs::path& workspace, const std::string& path, const fs::path& destination, std::uint64_t bytes) {
  auto from = files::open_inside(workspace, path);
  if (!from) return from.error();
  std::error_code error;
  const auto size = fs::file_size(workspace / path, error);
  if (!error && size > bytes) return Error{Fault::refused, printable(path) + ": left out, " + std::to_string(size) + " bytes, above the limit of " + std::to_string(bytes) + " bytes"};
  const auto target = files::prepare_inside(destination, path);
  if (!target) return target.error();
  const Descriptor to{::open(target->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640)};
  if (to.get() < 0) return errno == EEXIST ? Result<void>{} : Result<void>{errno_error("cannot create", target->native(), errno)};
  return copy_file(from->get(), to.get(), bytes);
}

}  // namespace

bool matches_path(std::string_view path, std::string_view pattern) { return matches(parts_of(path), parts_of(pattern)); }

std::vector<std::string> copy_from_workspace(const fs::path& workspace, const std::vector<std::string>& patterns, const fs::path& destination,
                                             std::size_t limit, std::uint64_t bytes) {
  std::vector<std::string> warnings;
  std::vector<std::vector<std::string>> wanted;
  for (const auto& pattern : patterns) wanted.push_back(parts_of(pattern));
  std::set<std::size_t> used;
  std::set<std::string> found;
  std::size_t entries = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry{workspace, fs::directory_options::skip_permission_denied, error}, end; !error && entry != end; entry.increment(error)) {
    if (++entries > most_entries) {
      add_warning(warnings, "the workspace holds more than " + std::to_string(most_entries) + " files: what comes after them is not looked at");
      break;
    }
    if (entry->symlink_status().type() != fs::file_type::regular) continue;
    const std::string path = entry->path().lexically_relative(workspace).generic_string();
    const auto parts = parts_of(path);
    for (std::size_t index = 0; index < wanted.size(); ++index)
      if (matches(parts, wanted[index])) used.insert(index), found.insert(path);
  }
  for (std::size_t index = 0; index < patterns.size(); ++index)
    if (!used.contains(index)) add_warning(warnings, "nothing in the workspace matches " + printable(patterns[index]));
  std::size_t taken = 0;
  for (const auto& path : found) {
    if (++taken > limit) {
      add_warning(warnings, std::to_string(found.size() - limit) + " files of the workspace are left out: more than " + std::to_string(limit));
      break;
    }
    if (auto copied = copy(workspace, path, destination, bytes); !copied) add_warning(warnings, copied.error().message);
  }
  return warnings;
}

}  // namespace outpost::junit
