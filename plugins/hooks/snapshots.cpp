#include "plugins/hooks/snapshots.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/sync.hpp"
#include "agent/base/text.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>
#include <vector>

namespace outpost::hooks {
namespace {

namespace fs = std::filesystem;

/// One thing in a plugin's folder.
struct Entry {
  fs::path path;      ///< Below the folder.
  fs::path content;   ///< Where its content is: itself, or what a link that leads out leads to.
  struct stat status{};  ///< Of the content; of a link that stays, its own.
  std::string target;    ///< Of a link that stays.
};

bool is_within(const fs::path& path, const fs::path& folder) {
  const auto [rest, ignored] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return rest == folder.end();
}

/// Whether what a link says is right in a copy too: it does not name the place of the folder itself.
bool holds_in_copy(const fs::path& path) { return path.is_relative() && *path.lexically_normal().begin() != ".."; }

constexpr int deepest = 32;
constexpr std::size_t most = 100'000;

Result<void> list(const fs::path& folder, const fs::path& real, const fs::path& below, std::vector<Entry>& entries, int depth) {
  if (depth > deepest) return Error{Fault::refused, folder.string() + " is nested too deeply for a plugin"};
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator each{real, error}, end; !error && each != end; each.increment(error)) names.push_back(each->path().filename().native());
  if (error) return errno_error("cannot read", real.native(), error.value());
  std::sort(names.begin(), names.end());
  for (const auto& name : names) {
    if (entries.size() >= most) return Error{Fault::refused, folder.string() + " has too many files for a plugin"};
    Entry entry{.path = below / name, .content = real / name};
    if (::lstat(entry.content.c_str(), &entry.status) != 0) return errno_error("cannot read", entry.content.native(), errno);
    if (S_ISLNK(entry.status.st_mode)) {
      const auto leads_to = fs::weakly_canonical(entry.content, error);
      const auto target = fs::read_symlink(entry.content, error);
      if (error || !fs::exists(leads_to, error) || (holds_in_copy(below / target) && is_within(leads_to, fs::weakly_canonical(folder, error)))) {
        entry.target = target.native();
      } else {
        entry.content = leads_to;
        if (::stat(leads_to.c_str(), &entry.status) != 0) return errno_error("cannot read", leads_to.native(), errno);
      }
    }
    const bool directory = S_ISDIR(entry.status.st_mode);
    if (!directory && !S_ISREG(entry.status.st_mode) && !S_ISLNK(entry.status.st_mode)) continue;  // Sockets and pipes are no plugin.
    const auto content = entry.content, path = entry.path;
    entries.push_back(std::move(entry));
    if (directory)
      if (auto listed = list(folder, content, path, entries, depth + 1); !listed) return listed;
  }
  return {};
}

Result<std::vector<Entry>> entries_of(const fs::path& folder) {
  std::vector<Entry> entries;
  if (auto listed = list(folder, folder, {}, entries, 0); !listed) return listed.error();
  return entries;
}

/// Has a copy on the disk: what a job has taken, it still has after a power failure. An empty hook would do nothing, and
/// do it well.
Result<void> sync_copy(const std::vector<Entry>& entries, const fs::path& copy) {
  for (const auto& entry : entries) {
    if (!entry.target.empty()) continue;
    const auto synced = S_ISDIR(entry.status.st_mode) ? sync_directory(copy / entry.path) : sync_file(copy / entry.path);
    if (!synced) return synced;
  }
  return sync_directory(copy);
}

/// Whatever happens to a file changes this.
std::string stamp_of(const std::vector<Entry>& entries) {
  Sha256 hash;
  for (const auto& entry : entries) {
    const auto& status = entry.status;
    std::string line = entry.path.native() + '\0' + entry.target + '\0';
    for (const long long number : {static_cast<long long>(status.st_dev), static_cast<long long>(status.st_ino), static_cast<long long>(status.st_size),
                                   static_cast<long long>(status.st_mode), static_cast<long long>(status.st_mtim.tv_sec), static_cast<long long>(status.st_mtim.tv_nsec),
                                   static_cast<long long>(status.st_ctim.tv_sec), static_cast<long long>(status.st_ctim.tv_nsec)})
      line += std::to_string(number) + " ";
    hash.update(line + "\n");
  }
  return hash.hex();
}

Result<std::string> digest_of_entries(const std::vector<Entry>& entries) {
  Sha256 hash;
  for (const auto& entry : entries) {
    const bool executable = (entry.status.st_mode & 0111) != 0;
    std::string line = entry.path.native() + '\0';
    if (!entry.target.empty()) {
      line += "link " + entry.target;
    } else if (S_ISDIR(entry.status.st_mode)) {
      line += "directory";
    } else {
      auto content = sha256_of_file(entry.content, 0, static_cast<std::uint64_t>(entry.status.st_size));
      if (!content) return content.error();
      line += (executable ? "program " : "file ") + *content;
    }
    hash.update(line + '\n');
  }
  return hash.hex();
}

/// For jobs that run as other users than the agent, whatever its umask.
Result<void> make_open_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0755) != 0) return errno_error("cannot create", path.native(), errno);
  if (::chmod(path.c_str(), 0755) != 0) return errno_error("cannot change the mode of", path.native(), errno);
  return {};
}

Result<void> copy_entry(const Entry& entry, const fs::path& to) {
  std::error_code error;
  if (!entry.target.empty()) {
    fs::create_symlink(entry.target, to, error);
  } else if (S_ISDIR(entry.status.st_mode)) {
    return make_open_directory(to);
  } else {
    fs::copy_file(entry.content, to, error);
    // Jobs may run as other users than the agent; nobody may change what they run.
    if (!error && ::chmod(to.c_str(), (entry.status.st_mode & 0111) != 0 ? 0555 : 0444) != 0) return errno_error("cannot change the mode of", to.native(), errno);
  }
  if (error) return errno_error("cannot copy", entry.content.native(), error.value());
  return {};
}

Result<void> copy_all(const std::vector<Entry>& entries, const fs::path& to) {
  std::error_code ignored;
  fs::remove_all(to, ignored);  // Of an agent that died.
  if (auto made = make_open_directory(to); !made) return made;
  for (const auto& entry : entries)
    if (auto copied = copy_entry(entry, to / entry.path); !copied) return copied;
  return {};
}

}  // namespace

Result<std::string> digest_of_plugin(const fs::path& folder) {
  const auto entries = entries_of(folder);
  if (!entries) return entries.error();
  return digest_of_entries(*entries);
}

Result<void> copy_plugin(const fs::path& folder, const fs::path& to) {
  const auto entries = entries_of(folder);
  if (!entries) return entries.error();
  return copy_all(*entries, to);
}

Result<Snapshots::Taken> Snapshots::take(const std::string& name, const fs::path& folder, const fs::path& links) {
  const std::lock_guard lock{mutex_};
  std::error_code error;
  fs::create_directories(directory_, error);
  if (!error) fs::permissions(directory_, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec, error);
  if (error) return errno_error("cannot create", directory_.native(), error.value());

  // A file that changes between the look and the copy shows in a second look.
  for (int attempt = 0; attempt < 3; ++attempt) {
    auto digest = digest_of(folder);
    if (!digest) return digest.error();
    const fs::path copy = directory_ / (name + "@" + digest->substr(0, 16));
    // A copy that is not what its name says: a power failure came before its content was on the disk.
    const auto kept = digest_of(copy);
    if (!kept || *kept != *digest) {
      fs::remove_all(copy, error);
      const fs::path draft = directory_ / (".new-" + name);
      if (auto copied = copy_plugin(folder, draft); !copied) return copied.error();
      const auto copied_entries = entries_of(draft);
      if (!copied_entries) return copied_entries.error();
      const auto copied_digest = digest_of_entries(*copied_entries);
      if (!copied_digest) return copied_digest.error();
      if (*copied_digest != *digest) {
        known_.erase(folder.native());
        continue;
      }
      if (auto synced = sync_copy(*copied_entries, draft); !synced) return synced.error();
      fs::rename(draft, copy, error);
      if (error) return errno_error("cannot rename", draft.native(), error.value());
      if (auto synced = sync_directory(directory_); !synced) return synced.error();
    }
    fs::create_directories(links, error);
    if (!error) fs::permissions(links, fs::perms::group_read | fs::perms::group_exec | fs::perms::others_read | fs::perms::others_exec, fs::perm_options::add, error);
    const fs::path link = links / name;
    fs::remove(link, error);
    error.clear();
    fs::create_directory_symlink(copy, link, error);
    if (error) return errno_error("cannot create", link.native(), error.value());
    forget_unused(name);
    return Taken{*digest, copy};
  }
  return Error{Fault::retry_later, folder.string() + " changes while it is copied"};
}

Result<std::string> Snapshots::digest_of(const fs::path& folder) {
  const auto entries = entries_of(folder);
  if (!entries) return entries.error();
  auto stamp = stamp_of(*entries);
  Known& known = known_[folder.native()];
  if (known.stamp == stamp) return known.digest;
  auto digest = digest_of_entries(*entries);
  if (digest) known = {std::move(stamp), *digest};
  return digest;
}

void Snapshots::forget_unused(const std::string& name) {
  std::error_code error;
  std::vector<fs::path> copies;
  for (fs::directory_iterator each{directory_, error}, end; !error && each != end; each.increment(error))
    if (each->path().filename().native().starts_with(name + "@")) copies.push_back(each->path());
  if (copies.size() < 2) return;
  std::set<fs::path> used;
  for (fs::directory_iterator job{jobs_, error}, end; !error && job != end; job.increment(error)) {
    std::error_code none;
    const auto target = fs::read_symlink(job->path() / "plugins" / name, none);
    if (!none) used.insert(target);
  }
  for (const auto& copy : copies) {
    if (used.contains(copy)) continue;
    fs::remove_all(copy, error);
    known_.erase(copy.native());
  }
}

}  // namespace outpost::hooks
