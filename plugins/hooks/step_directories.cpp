#include "plugins/hooks/step_directories.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <initializer_list>
#include <string_view>
#include <system_error>

namespace outpost::hooks {
namespace {

namespace fs = std::filesystem;
using pipeline::JobDirectory;

constexpr mode_t private_mode = 0750;

Result<void> make(const fs::path& directory) {
  if (::mkdir(directory.c_str(), private_mode) == 0 || errno == EEXIST) return {};
  return errno_error("cannot create", directory.native(), errno);
}

/// Whether a directory is ours to hand on: no link, with our mode, and with exactly these entries.
bool holds_only(const fs::path& directory, std::initializer_list<std::string_view> names) {
  struct stat status{};
  if (::lstat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return false;
  if (status.st_uid != ::geteuid() || (status.st_mode & 07777) != private_mode) return false;
  std::error_code error;
  std::size_t found = 0;
  for (fs::directory_iterator entry{directory, error}, end; !error && entry != end; entry.increment(error), ++found) {
    const fs::path name = entry->path().filename();
    if (std::find(names.begin(), names.end(), name.native()) == names.end()) return false;
  }
  return !error && found == names.size();
}

bool is_untouched(const JobDirectory& directory, const std::string& step) {
  return holds_only(directory.step(step), {"artifacts", "results", "tmp"}) &&
         holds_only(directory.artifacts(step), {}) && holds_only(directory.results(step), {}) &&
         holds_only(directory.temporary(step), {"home"}) && holds_only(directory.home(step), {});
}

/// Gives the step the directories of the one before it, or those that nobody has used yet. The one before has its end in
/// the journal, because the start of this one is there; so nobody will look for them under the old name.
bool take_over(const pipeline::StepRequest& request) {
  const auto& steps = request.story.steps;
  const auto& directory = request.directory;
  std::error_code ignored;
  const auto before = std::find_if(steps.rbegin(), steps.rend(), [&](const auto& step) {
    return step.ended && step.id != request.step_id && fs::exists(directory.step(step.id), ignored);
  });
  const std::string from = before != steps.rend() ? before->id : directory.unused_step();
  return is_untouched(directory, from) &&
         ::renameat2(AT_FDCWD, directory.step(from).c_str(), AT_FDCWD, directory.step(request.step_id).c_str(),
                     RENAME_NOREPLACE) == 0;
}

}  // namespace

Result<void> make_step_directories(const pipeline::StepRequest& request) {
  const auto& directory = request.directory;
  const std::string& step = request.step_id;
  const auto state = directory.state(request.step.plugin);
  // A hook may have removed them.
  for (const auto& path : {directory.workspace(), directory.shared(), state.parent_path(), state})
    if (auto made = make(path); !made) return made;
  if (take_over(request)) return {};
  for (const auto& path : {directory.step(step), directory.artifacts(step), directory.results(step),
                           directory.temporary(step), directory.home(step)})
    if (auto made = make(path); !made) return made;
  return {};
}

}  // namespace outpost::hooks
