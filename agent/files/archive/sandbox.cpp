#include "agent/files/archive/sandbox.hpp"

#include "agent/base/descriptor.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

#ifndef LANDLOCK_ACCESS_FS_REFER  // Headers before Linux 5.19.
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif

namespace outpost::files {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t own_architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t own_architecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t own_architecture = 0;  // No filter there.
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OUTPOST_SHADOW_MEMORY
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OUTPOST_SHADOW_MEMORY
#endif

void limit_resources() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
#ifndef OUTPOST_SHADOW_MEMORY  // Sanitizers map terabytes.
  constexpr rlim_t memory = rlim_t{4} << 30;
  const rlimit some{memory, memory};
  ::setrlimit(RLIMIT_AS, &some);
#endif
}

void forbid_calls() {
  if (own_architecture == 0) return;
  constexpr std::uint32_t other_abi = 0x40000000;  // x32, where the same calls have other numbers.
  std::vector<sock_filter> program{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, own_architecture, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, other_abi, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  for (const long call : {SYS_socket, SYS_connect, SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv,
                          SYS_process_vm_writev, SYS_kill, SYS_bpf, SYS_io_uring_setup, SYS_keyctl, SYS_mount}) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

void allow(int rules, const std::filesystem::path& path, std::uint64_t access) {
  const Descriptor opened{::open(path.c_str(), O_PATH | O_CLOEXEC)};
  landlock_path_beneath_attr rule{access, opened.get()};
  if (opened.is_open()) ::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

void forbid_files(const std::filesystem::path& archive, const std::filesystem::path& target) {
  constexpr int with_links_across_directories = 2;
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < with_links_across_directories) return;
  constexpr std::uint64_t all = (LANDLOCK_ACCESS_FS_REFER << 1) - 1;  // Every right up to that version's last one.
  const landlock_ruleset_attr attributes{.handled_access_fs = all};
  // The size that this version knows: newer headers have more fields.
  const Descriptor rules{
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0))};
  if (!rules.is_open()) return;
  allow(rules.get(), archive, LANDLOCK_ACCESS_FS_READ_FILE);
  allow(rules.get(), target.parent_path(), all & ~LANDLOCK_ACCESS_FS_EXECUTE);
  ::syscall(SYS_landlock_restrict_self, rules.get(), 0);
}

}  // namespace

void enter_sandbox(const std::filesystem::path& archive, const std::filesystem::path& target) {
  limit_resources();
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return;
  forbid_files(archive, target);
  forbid_calls();
}

}  // namespace outpost::files
