#include "agent/files/object_store.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/sync.hpp"
#include "agent/files/durable_file.hpp"
#include "agent/files/place_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <utility>
#include <vector>

namespace outpost::files {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view stamp_suffix = ".stamp";

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::int64_t in_ns(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

fs::path ObjectStore::object(const std::string& sha256) const {
  return root_ / "objects" / sha256.substr(0, 2) / sha256;
}

fs::path ObjectStore::stamp(const std::string& sha256) const {
  fs::path path = object(sha256);
  path += stamp_suffix;
  return path;
}

Result<ObjectStore::Stamp> ObjectStore::stamp_of(const fs::path& file) {
  struct stat status{};
  if (::lstat(file.c_str(), &status) != 0) return errno_error("cannot find", file.native(), errno);
  if (!S_ISREG(status.st_mode)) return Error{Fault::unavailable, file.string() + ": not a regular file"};
  return Stamp{static_cast<std::uint64_t>(status.st_size), in_ns(status.st_mtim)};
}

Result<ObjectStore::Stamp> ObjectStore::read_stamp(const fs::path& file) {
  std::array<char, 64> text{};
  const Descriptor opened{::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
  const ssize_t got = opened.is_open() ? ::read(opened.get(), text.data(), text.size()) : -1;
  if (got < 0) return errno_error("cannot read", file.native(), errno);
  const char* const end = text.data() + got;
  Stamp stamp;
  const auto size = std::from_chars(text.data(), end, stamp.size);
  if (size.ec == std::errc{} && size.ptr != end)
    if (std::from_chars(size.ptr + 1, end, stamp.modified_ns).ec == std::errc{}) return stamp;
  return Error{Fault::malformed, file.string() + ": not a stamp"};
}

bool ObjectStore::is_intact(const std::string& sha256) const {
  const auto recorded = read_stamp(stamp(sha256));
  const auto found = stamp_of(object(sha256));
  return recorded && found && *recorded == *found;
}

Result<std::shared_ptr<ObjectStore>> ObjectStore::open(const fs::path& root, std::uint64_t limit) {
  std::shared_ptr<ObjectStore> store{new ObjectStore{root, limit}};
  if (auto loaded = store->load(); !loaded) return loaded.error();
  return store;
}

Result<void> ObjectStore::load() {
  std::error_code code;
  for (const fs::path& directory : {root_, root_ / "objects", root_ / "incoming"}) {
    fs::create_directories(directory, code);
    if (code) return errno_error("cannot make the directory", directory.native(), code.value());
  }
  lock_ = Descriptor{::open((root_ / "lock").c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640)};
  if (!lock_.is_open()) return errno_error("cannot open", (root_ / "lock").native(), errno);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
    return Error{Fault::unavailable, root_.string() + ": another process uses this cache"};
  for (const auto& draft : fs::directory_iterator{root_ / "incoming", code}) fs::remove_all(draft.path(), code);
  for (const auto& directory : fs::directory_iterator{root_ / "objects", code})
    if (fs::is_directory(directory.symlink_status())) load_directory(directory.path());
  const std::scoped_lock guard{mutex_};
  make_room(0);
  return {};
}

void ObjectStore::load_directory(const fs::path& directory) {
  std::error_code code;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator{directory, code}) names.push_back(entry.path().filename());
  for (const std::string& name : names) {
    const std::string sha256 = name.substr(0, 64);
    if (!is_sha256(sha256) || object(sha256).parent_path() != directory) continue;
    if (!is_intact(sha256)) {
      fs::remove(object(sha256), code);
      fs::remove(stamp(sha256), code);
    } else if (name == sha256) {
      const auto used = stamp_of(stamp(sha256));
      const std::uint64_t bytes = stamp_of(object(sha256))->size;
      objects_[sha256] = {bytes, used ? used->modified_ns : 0};
      size_ += bytes;
    }
  }
}

Result<bool> ObjectStore::take(const std::string& sha256, const fs::path& target) {
  if (!contains(sha256)) return false;
  const auto held = hold(sha256);
  if (!is_intact(sha256)) {
    const std::scoped_lock guard{mutex_};
    forget(sha256);
    return false;
  }
  if (auto placed = place_file(object(sha256), target); !placed) return placed.error();
  touch(sha256);
  return true;
}

Result<bool> ObjectStore::keep(const fs::path& file, const std::string& sha256) {
  if (!is_sha256(sha256)) return Error{Fault::bug, "\"" + sha256 + "\" is not a sha256 in lower-case hexadecimal"};
  const auto held = hold(sha256);
  if (contains(sha256) && is_intact(sha256)) {
    touch(sha256);
    return true;
  }
  auto before = stamp_of(file);
  if (!before) return before.error();
  if (before->size > limit_) return false;
  auto sum = sha256_of_file(file, 0, before->size);
  if (!sum) return sum.error();
  if (*sum != sha256)
    return Error{Fault::malformed, file.string() + ": has the sha256 " + *sum + " instead of " + sha256 + ", not kept"};
  {
    const std::scoped_lock guard{mutex_};
    if (!make_room(before->size)) return false;
  }
  auto stored = store(file, sha256, *before);
  const std::scoped_lock guard{mutex_};
  const bool counted = objects_.contains(sha256);  // Another job stored the same meanwhile, or a changed one was there.
  if (!stored || counted) size_ -= before->size;
  if (!stored) return stored.error();
  objects_[sha256] = {before->size, now_ns()};
  return true;
}

Result<void> ObjectStore::store(const fs::path& file, const std::string& sha256, const Stamp& hashed) {
  fs::path draft;
  {
    const std::scoped_lock guard{mutex_};
    draft = root_ / "incoming" / std::to_string(++drafts_);
  }
  const auto failed = [&](Error error) {
    ::unlink(draft.c_str());
    return error;
  };
  if (auto placed = place_file(file, draft); !placed) return failed(placed.error());
  if (auto synced = sync_file(draft); !synced) return failed(synced.error());
  const auto now = stamp_of(file);
  if (!now || *now != hashed)
    return failed({Fault::malformed, file.string() + ": changed while it was put into the cache"});
  const auto stored = stamp_of(draft);
  if (!stored) return failed(stored.error());

  const std::scoped_lock guard{storing_};
  const fs::path directory = object(sha256).parent_path();
  if (::mkdir(directory.c_str(), 0750) == 0) {
    if (auto synced = sync_directory(directory.parent_path()); !synced) return failed(synced.error());
  } else if (errno != EEXIST) {
    return failed(errno_error("cannot make the directory", directory.native(), errno));
  }
  // The stamp first: an object without one is not believed.
  const std::string text = std::to_string(stored->size) + " " + std::to_string(stored->modified_ns) + "\n";
  if (auto written = write_durably(stamp(sha256), text); !written) return failed(written.error());
  if (::rename(draft.c_str(), object(sha256).c_str()) != 0)
    return failed(errno_error("cannot rename to", object(sha256).native(), errno));
  ::unlink(draft.c_str());  // rename() does nothing when both are the same file.
  return sync_directory(directory);
}

std::shared_ptr<void> ObjectStore::hold(const std::string& sha256) {
  const std::scoped_lock guard{mutex_};
  ++holds_[sha256];
  const auto release = [self = shared_from_this(), sha256](void*) {
    const std::scoped_lock releasing{self->mutex_};
    if (--self->holds_[sha256] == 0) self->holds_.erase(sha256);
  };
  return {this, release};
}

bool ObjectStore::contains(const std::string& sha256) const {
  const std::scoped_lock guard{mutex_};
  return objects_.contains(sha256);
}

std::uint64_t ObjectStore::size() const {
  const std::scoped_lock guard{mutex_};
  return size_;
}

void ObjectStore::touch(const std::string& sha256) {
  ::utimensat(AT_FDCWD, stamp(sha256).c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
  const std::scoped_lock guard{mutex_};
  if (const auto found = objects_.find(sha256); found != objects_.end()) found->second.used_ns = now_ns();
}

bool ObjectStore::make_room(std::uint64_t bytes) {
  const auto removable = [&](const std::string& sha256) {
    struct stat status{};
    // With a second link it is in somebody's workspace, and removing it would free nothing.
    return !holds_.contains(sha256) && (::lstat(object(sha256).c_str(), &status) != 0 || status.st_nlink == 1);
  };
  while (size_ > limit_ || bytes > limit_ - size_) {
    auto oldest = objects_.end();
    for (auto it = objects_.begin(); it != objects_.end(); ++it)
      if (oldest == objects_.end() || it->second.used_ns < oldest->second.used_ns)
        if (removable(it->first)) oldest = it;
    if (oldest == objects_.end()) return false;
    forget(std::string{oldest->first});
  }
  size_ += bytes;
  return true;
}

void ObjectStore::forget(const std::string& sha256) {
  ::unlink(object(sha256).c_str());
  ::unlink(stamp(sha256).c_str());
  const auto found = objects_.find(sha256);
  if (found == objects_.end()) return;
  size_ -= found->second.size;
  objects_.erase(found);
}

}  // namespace outpost::files
