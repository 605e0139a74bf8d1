#include "agent/process/systemd/sandbox.hpp"

#include "agent/base/descriptor.hpp"

// Not <sys/mount.h>: glibc has these calls since 2.36, RHEL 9 has 2.34, and the two headers do not go together.
#include <linux/capability.h>
#include <linux/mount.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <system_error>
#include <utility>

namespace outpost::process {
namespace {

constexpr unsigned recursive = 0x8000;  // AT_RECURSIVE
constexpr std::uint64_t slave = 1U << 19, shared = 1U << 20;  // MS_SLAVE, MS_SHARED

std::optional<SandboxFailure> failed(std::string what) { return SandboxFailure{std::move(what), errno}; }

/// Of all mounts at once; see mount_setattr(2).
bool change_mounts(std::uint64_t set, std::uint64_t propagation) {
  mount_attr attributes{};
  attributes.attr_set = set;
  attributes.propagation = propagation;
  return ::syscall(SYS_mount_setattr, AT_FDCWD, "/", recursive, &attributes, sizeof attributes) == 0;
}

/// What a path leads to, and its name without symbolic links. Not open: errno says why.
struct Place {
  Descriptor place;
  std::string name;
};

Place find(const std::string& path) {
  Place found{Descriptor{::open(path.c_str(), O_PATH | O_CLOEXEC)}, {}};
  if (!found.place.is_open()) return found;
  std::error_code error;
  found.name = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(found.place.get()), error).string();
  if (error) {
    found.place.close();
    errno = error.value();
  }
  return found;
}

/// The mounts of a tree as they are, for the time when it has become read-only.
Descriptor copy_mounts(const Descriptor& place) {
  return Descriptor{static_cast<int>(::syscall(SYS_open_tree, place.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | recursive))};
}

/// `options`: name and value of each.
Descriptor new_file_system(const char* type, std::initializer_list<std::pair<const char*, const char*>> options, unsigned attributes) {
  const Descriptor context{static_cast<int>(::syscall(SYS_fsopen, type, FSOPEN_CLOEXEC))};
  if (!context.is_open()) return Descriptor{};
  for (const auto& [name, value] : options)
    if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, name, value, 0) != 0) return Descriptor{};
  if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return Descriptor{};
  return Descriptor{static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, attributes))};
}

/// In one of the file systems made here the place may have to be made first.
Descriptor place_for(const Descriptor& mounts, const std::string& path) {
  Descriptor place{::open(path.c_str(), O_PATH | O_CLOEXEC)};
  if (place.is_open()) return place;
  for (std::size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1))
    ::mkdir(path.substr(0, end).c_str(), 0755);
  struct stat status{};
  if (::fstat(mounts.get(), &status) == 0 && S_ISDIR(status.st_mode))
    ::mkdir(path.c_str(), 0755);
  else
    Descriptor{::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644)}.close();
  return Descriptor{::open(path.c_str(), O_PATH | O_CLOEXEC)};
}

bool put(const Descriptor& mounts, const std::string& path) {
  const auto place = place_for(mounts, path);
  return place.is_open() && ::syscall(SYS_move_mount, mounts.get(), "", place.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
}

/// What comes over the read-only root, by its name without symbolic links: what is above another comes first.
using Layers = std::map<std::string, Descriptor>;

std::optional<SandboxFailure> add_own_file_systems(Layers& layers) {
  for (const char* path : {"/tmp", "/var/tmp"}) {
    auto memory = new_file_system("tmpfs", {{"mode", "1777"}, {"uid", "0"}, {"gid", "0"}, {"size", "10%"}, {"nr_inodes", "409600"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (!memory.is_open()) return failed(path);
    const auto found = find(path);
    if (!found.place.is_open()) return failed(path);
    layers[found.name] = std::move(memory);
  }
  auto processes = new_file_system("proc", {{"hidepid", "invisible"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (!processes.is_open()) {
    std::perror("outpost-step: the processes of others cannot be hidden");
    processes = copy_mounts(find("/proc").place);
  }
  if (!processes.is_open()) return failed("/proc");
  layers["/proc"] = std::move(processes);
  return std::nullopt;
}

std::optional<SandboxFailure> add_writable(Layers& layers, std::string path) {
  const bool may_be_missing = path.starts_with('-');
  if (may_be_missing) path.erase(0, 1);
  if (!path.starts_with('/')) return SandboxFailure{"only absolute paths can be made writable, not \"" + path + "\"", EINVAL};
  const auto found = find(path);
  if (!found.place.is_open()) {
    if (may_be_missing && (errno == ENOENT || errno == ENOTDIR || errno == EACCES)) return std::nullopt;
    return failed(std::move(path));
  }
  if (found.name == "/") return SandboxFailure{"not everything can be made writable (" + path + ")", EINVAL};
  auto mounts = copy_mounts(found.place);
  if (!mounts.is_open()) return failed(std::move(path));
  layers[found.name] = std::move(mounts);
  return std::nullopt;
}

}  // namespace

std::optional<SandboxFailure> enter_sandbox(const std::vector<std::string>& writable) {
  if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return SandboxFailure{"its unit lacks NoNewPrivileges=yes", EPERM};
  if (::unshare(CLONE_NEWNS) != 0) return failed("a view of its own of the file system");
  if (!change_mounts(0, slave)) return failed("a file system apart from the host's");  // What happens here stays here.
  Layers layers;
  if (auto failure = add_own_file_systems(layers)) return failure;
  std::vector<std::string> paths{"/dev", "/sys"};
  paths.insert(paths.end(), writable.begin(), writable.end());
  for (auto& path : paths)
    if (auto failure = add_writable(layers, std::move(path))) return failure;
  if (!change_mounts(MOUNT_ATTR_RDONLY, 0)) return failed("a file system that is read-only");
  for (const auto& [path, mounts] : layers)
    if (!put(mounts, path)) return failed(path);
  if (!change_mounts(0, shared)) return failed("mounts to be shared");  // For those who make such views themselves, as containers do.
  return std::nullopt;
}

std::optional<SandboxFailure> give_up_administration() {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  if (::syscall(SYS_capget, &head, sets) != 0) return failed("to see its capabilities");
  constexpr unsigned capability = CAP_SYS_ADMIN, bit = 1U << capability % 32;
  auto& set = sets[capability / 32];
  // Ambient are only those that are permitted and inheritable. To set them, filters of system calls may forbid.
  if (((set.effective | set.permitted | set.inheritable) & bit) == 0) return std::nullopt;
  for (auto* bits : {&set.effective, &set.permitted, &set.inheritable}) *bits &= ~bit;
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, capability, 0, 0) != 0 || ::syscall(SYS_capset, &head, sets) != 0) return failed("to give up its capability");
  return std::nullopt;
}

}  // namespace outpost::process
