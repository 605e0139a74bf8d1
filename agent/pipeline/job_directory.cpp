#include "agent/pipeline/job_directory.hpp"

#include "agent/base/sync.hpp"

#include <fcntl.h>
#include <cerrno>
#include <cstdio>
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

bool move_new(const fs::path& from, const fs::path& to) {
  return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0;
}

}  // namespace

Result<void> JobDirectory::create(const fs::path& ready) const {
  if (!ready.empty() && move_new(ready, root)) return sync_directory(root.parent_path());
  for (const auto& directory : {root, workspace(), components(), shared(), root / "state", logs(), root / "steps"})
    if (auto made = make_private(directory); !made) return made;
  if (auto synced = sync_directory(root); !synced) return synced;
  return sync_directory(root.parent_path());
}

Result<void> JobDirectory::make_ready(const fs::path& ready) {
  std::error_code error;
  if (fs::exists(ready, error)) return {};
  const JobDirectory draft{ready.native() + ".new"};
  const std::string step = draft.unused_step();
  for (const auto& directory : {draft.root, draft.plugins(), draft.root / "steps", draft.step(step),
                                draft.artifacts(step), draft.results(step), draft.temporary(step), draft.home(step)})
    if (auto made = make_private(directory); !made) return made;
  if (auto made = draft.create(); !made) return made;
  if (!move_new(draft.root, ready)) return errno_error("cannot create", ready.native(), errno);
  return {};
}

Result<void> JobDirectory::remove_workspace() const {
  std::error_code error, first;
  for (const auto& directory : {workspace(), components(), shared(), root / "state", root / "config", plugins(), step(unused_step())}) {
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
