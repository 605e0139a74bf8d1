// Stands before the C library's functions of the same names, for SQLite too.
#include "bench/sync_counter.hpp"

#include <sys/syscall.h>
#include <unistd.h>
#include <atomic>

namespace {
std::atomic<std::uint64_t> syncs{0};
}

extern "C" {
int fsync(int descriptor) {
  ++syncs;
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

int fdatasync(int descriptor) {
  ++syncs;
  return static_cast<int>(::syscall(SYS_fdatasync, descriptor));
}
}

namespace outpost::bench {
std::uint64_t sync_count() { return syncs; }
}  // namespace outpost::bench
