#include "agent/pipeline/job_directory.hpp"

#include "agent/base/sync.hpp"

#include <system_error>

namespace outpost::pipeline {
namespace {

namespace fs = std::filesystem;

Result<void> make_private(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (!error) fs::permissions(directory, fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec, error);
  if (error) return errno_error("cannot create", directory.native(), error.value());
  return {};
}

}  // namespace

Result<void> JobDirectory::create() const {
  for (const auto& directory : {root, workspace(), components(), shared(), root / "state", logs(), root / "steps"})
    if (auto made = make_private(directory); !made) return made;
  if (auto synced = sync_directory(root); !synced) return synced;
  return sync_directory(root.parent_path());
}

Result<void> JobDirectory::remove_workspace() const {
  std::error_code error, first;
  for (const auto& directory : {workspace(), components(), shared(), root / "state", root / "config", plugins()}) {
    fs::remove_all(directory, error);
    if (error && !first) first = error;
  }
  for (fs::directory_iterator step{root / "steps", error}, end; !error && step != end; step.increment(error)) {
    std::error_code removal;
    fs::remove_all(step->path() / "tmp", removal);
    if (removal && !first) first = removal;
  }
  if (first) return errno_error("cannot empty", root.native(), first.value());
  return {};
}

}  // namespace outpost::pipeline
