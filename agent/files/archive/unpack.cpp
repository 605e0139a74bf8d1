#include "agent/files/archive/unpack.hpp"

#include "agent/base/descriptor.hpp"
#include "agent/base/sync.hpp"
#include "agent/base/text.hpp"
#include "agent/files/archive/tar_stream.hpp"
#include "agent/files/disk_space.hpp"
#include "agent/files/safe_path.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace outpost::files {
namespace {

namespace fs = std::filesystem;

struct FreeWriter {
  void operator()(struct archive* archive) const { ::archive_write_free(archive); }
};

std::string in_quotes(std::string_view name) { return "\"" + printable(name, 300) + "\""; }

/// Writes the entries of one archive below `root`, which is new and ours alone.
class Unpacker {
 public:
  Unpacker(fs::path archive, fs::path root, const UnpackLimits& limits, std::stop_token stop)
      : archive_{std::move(archive)},
        root_{std::move(root)},
        limits_{limits},
        stream_{archive_, limits_, std::move(stop)} {}

  Result<Unpacked> run();

 private:
  Result<void> settle();
  Result<void> unpack_entry(struct archive_entry* entry);
  Result<std::string> normal_name(const char* raw) const;
  Result<void> check_type(struct archive_entry* entry, const std::string& name) const;
  Result<void> check_hard_link(struct archive_entry* entry, const std::string& name) const;
  Result<void> check_size(struct archive_entry* entry, const std::string& name) const;
  Result<void> copy(struct archive_entry* entry, const std::string& name);
  [[nodiscard]] Error at(std::string_view name, Fault fault, std::string why) const {
    return {fault, archive_.string() + ": " + in_quotes(name) + ": " + std::move(why)};
  }
  [[nodiscard]] Error write_failure(const std::string& name, std::uint64_t needed) const;

  fs::path archive_, root_;
  UnpackLimits limits_;
  TarStream stream_;
  std::unique_ptr<struct archive, FreeWriter> disk_{::archive_write_disk_new()};
  Descriptor directory_;
  std::string prefix_;  ///< What turns a name into a path: nothing when this thread works in `root`.
  Unpacked done_;
};

/// libarchive writes relative to the working directory and sets the umask while it does. Both belong to the process, so
/// this thread takes its own. Where that is not allowed (some containers) the entries get absolute paths.
Result<void> Unpacker::settle() {
  directory_ = Descriptor{::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!directory_.is_open()) return errno_error("cannot open", root_.native(), errno);
  int flags = ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_SYMLINKS;
  if (::unshare(CLONE_FS) == 0 && ::fchdir(directory_.get()) == 0) {
    flags |= ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS;
  } else {
    std::error_code code;
    prefix_ =
        (fs::canonical(root_, code) / "").native();  // No link may be in it: SECURE_SYMLINKS looks at all of a path.
    if (code) return errno_error("cannot find", root_.native(), code.value());
  }
  ::archive_write_disk_set_options(disk_.get(), flags);
  return {};
}

Result<Unpacked> Unpacker::run() {
  if (auto ready = settle(); !ready) return ready.error();
  if (auto opened = stream_.open(); !opened) return opened.error();
  while (true) {
    struct archive_entry* entry = nullptr;
    const int status = ::archive_read_next_header(stream_.reader(), &entry);
    if (status == ARCHIVE_EOF) break;
    if (status < ARCHIVE_WARN) return stream_.failure();
    if (auto fine = stream_.check(); !fine) return fine.error();
    if (auto unpacked = unpack_entry(entry); !unpacked) return unpacked.error();
  }
  if (::archive_write_close(disk_.get()) != ARCHIVE_OK) return write_failure("(the end)", 0);
  if (auto drained = stream_.drain(); !drained) return drained.error();
  if (::syncfs(directory_.get()) != 0) return errno_error("cannot sync", root_.native(), errno);
  return done_;
}

/// The name without "." and doubled slashes; "" is the root itself.
Result<std::string> Unpacker::normal_name(const char* raw) const {
  if (!raw) return Error{Fault::malformed, archive_.string() + ": an entry has no readable name"};
  const std::string_view given = raw;
  if (given.starts_with('/'))
    return at(given, Fault::refused, "refused, its name is absolute; make the archive with relative names");
  std::string name;
  for (const std::string& part : split(given, '/')) {
    if (part == "..") return at(given, Fault::refused, "refused, its name has \"..\" in it; make the archive without");
    if (part.empty() || part == ".") continue;
    if (!name.empty()) name += '/';
    name += part;
  }
  if (name.empty()) return name;
  if (auto good = check_name(name); !good) return at(given, Fault::refused, good.error().message);
  if (static_cast<std::size_t>(std::count(name.begin(), name.end(), '/')) >= limits_.depth)
    return at(given, Fault::refused, "refused, more than " + std::to_string(limits_.depth) + " directories deep");
  if (root_.native().size() + 1 + name.size() >= PATH_MAX)
    return at(given, Fault::refused, "refused, its path is too long");
  return name;
}

Result<void> Unpacker::unpack_entry(struct archive_entry* entry) {
  auto name = normal_name(::archive_entry_pathname(entry));
  if (!name) return name.error();
  if (++done_.entries > limits_.entries)
    return Error{Fault::refused, archive_.string() + ": more than " + std::to_string(limits_.entries) +
                                     " entries; raise the limit if this is right"};
  if (auto good = check_type(entry, *name); !good) return good;
  if (name->empty()) return {};
  if (const auto slash = name->rfind('/'); slash != std::string::npos)
    if (auto parent = inside(root_, name->substr(0, slash)); !parent)
      return at(*name, Fault::refused, parent.error().message + " (made by an earlier entry)");
  if (auto fits = check_size(entry, *name); !fits) return fits;

  const bool directory = ::archive_entry_filetype(entry) == AE_IFDIR;
  const mode_t mode = ::archive_entry_perm(entry);
  ::archive_entry_set_perm(entry, (mode & 0755) | (directory ? 0700 : 0600));
  ::archive_entry_copy_pathname(entry, (prefix_ + *name).c_str());
  if (::archive_write_header(disk_.get(), entry) < ARCHIVE_WARN) return write_failure(*name, 0);
  if (auto copied = copy(entry, *name); !copied) return copied;
  if (::archive_write_finish_entry(disk_.get()) < ARCHIVE_WARN) return write_failure(*name, 0);
  return {};
}

Result<void> Unpacker::check_type(struct archive_entry* entry, const std::string& name) const {
  if (::archive_entry_hardlink(entry)) return check_hard_link(entry, name);
  switch (::archive_entry_filetype(entry)) {
    case AE_IFREG:
    case AE_IFDIR:
      if (name.empty() && ::archive_entry_filetype(entry) != AE_IFDIR) break;
      return {};
    case AE_IFLNK: {
      const char* destination = ::archive_entry_symlink(entry);
      auto allowed = check_link(name, destination ? destination : "");
      if (!allowed)
        return at(name, Fault::refused, allowed.error().message + "; make the archive with links that stay in it");
      return {};
    }
    default: return at(name, Fault::refused, "refused, it is a device, a fifo or a socket; make the archive without");
  }
  return at(name, Fault::malformed, "a file without a name");
}

/// A hard link to a symbolic link would be that link at another depth, where it can lead out.
Result<void> Unpacker::check_hard_link(struct archive_entry* entry, const std::string& name) const {
  auto target = normal_name(::archive_entry_hardlink(entry));
  if (!target) return at(name, Fault::refused, "hard link: " + target.error().message);
  struct stat status{};
  const bool there = !name.empty() && !target->empty() &&
                     ::fstatat(directory_.get(), target->c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                     S_ISREG(status.st_mode);
  if (!there || *target == name)
    return at(name, Fault::refused,
              "refused, a hard link to " + in_quotes(*target) + ", which is no file before it in the archive");
  if (const auto slash = target->rfind('/'); slash != std::string::npos)
    if (auto parent = inside(root_, target->substr(0, slash)); !parent)
      return at(name, Fault::refused, "hard link: " + parent.error().message);
  ::archive_entry_copy_hardlink(entry, (prefix_ + *target).c_str());
  return {};
}

Result<void> Unpacker::check_size(struct archive_entry* entry, const std::string& name) const {
  const auto size = static_cast<std::uint64_t>(std::max<la_int64_t>(::archive_entry_size(entry), 0));
  if (size > limits_.bytes - done_.bytes)
    return at(name, Fault::refused,
              "refused, with it the archive unpacks to more than " + std::to_string(limits_.bytes) +
                  " bytes; raise the limit if this is right");
  const auto available = free_bytes(directory_.get());
  if (available && size > *available) return disk_full(root_ / name, size, available).in(archive_.string());
  return {};
}

Result<void> Unpacker::copy(struct archive_entry* entry, const std::string& name) {
  const auto size = static_cast<std::uint64_t>(std::max<la_int64_t>(::archive_entry_size(entry), 0));
  while (true) {
    const void* bytes = nullptr;
    std::size_t count = 0;
    la_int64_t offset = 0;
    const int status = ::archive_read_data_block(stream_.reader(), &bytes, &count, &offset);
    if (status == ARCHIVE_EOF) break;
    if (status < ARCHIVE_WARN) return stream_.failure().in("entry " + in_quotes(name));
    if (count > 0 && ::archive_write_data_block(disk_.get(), bytes, count, offset) < ARCHIVE_WARN)
      return write_failure(name, size - std::min(size, static_cast<std::uint64_t>(offset)));
  }
  done_.bytes += size;
  return {};
}

Error Unpacker::write_failure(const std::string& name, std::uint64_t needed) const {
  const int code = ::archive_errno(disk_.get());
  if (code == ENOSPC || code == EDQUOT) {
    const auto bytes = needed > 0 ? std::optional{needed} : std::nullopt;
    return disk_full(root_ / name, bytes, free_bytes(directory_.get())).in(archive_.string());
  }
  const char* why = ::archive_error_string(disk_.get());
  return at(name, Fault::unavailable, "cannot be written: " + printable(why ? why : "no reason given", 300));
}

/// In a thread of its own, because of what Unpacker::settle() does to it.
Result<Unpacked> unpack_into(const fs::path& archive, const fs::path& root, const UnpackLimits& limits,
                             std::stop_token stop) {
  Result<Unpacked> result = Error{Fault::bug, "unpacking did not run"};
  const fs::path absolute = fs::absolute(archive);  // The working directory is about to change.
  const auto failed = [&](const std::exception& error) {
    result = Error{Fault::bug, absolute.string() + ": " + error.what()};
  };
  const auto work = [&] {
    try {
      result = Unpacker{absolute, root, limits, std::move(stop)}.run();
    } catch (const std::exception& error) {
      failed(error);
    }
  };
  try {
    std::thread{work}.join();
  } catch (const std::system_error& error) {
    failed(error);
  }
  return result;
}

}  // namespace

Result<Unpacked> unpack(const fs::path& archive, const fs::path& target, const UnpackLimits& limits,
                        std::stop_token stop) {
  const fs::path final_place = fs::absolute(target).lexically_normal();
  fs::path draft = final_place;
  draft += ".unpacking";
  std::error_code code;
  if (fs::exists(fs::symlink_status(final_place, code)))
    return Error{Fault::unavailable, final_place.string() + ": is there already; remove it to unpack again"};
  fs::remove_all(draft, code);
  if (::mkdir(draft.c_str(), 0750) != 0) return errno_error("cannot make the directory", draft.native(), errno);
  auto result = unpack_into(archive, draft, limits, std::move(stop));
  if (result && ::rename(draft.c_str(), final_place.c_str()) != 0)
    result = errno_error("cannot rename to", final_place.native(), errno);
  if (!result) {
    fs::remove_all(draft, code);
    return result;
  }
  if (auto synced = sync_directory(final_place.parent_path()); !synced) return synced.error();
  return result;
}

}  // namespace outpost::files
