#pragma once

#include <cstdint>

#include <sys/types.h>

namespace outpost::bench {

struct Memory {
  std::uint64_t resident = 0;      ///< VmRSS, in bytes.
  std::uint64_t peak = 0;          ///< VmHWM: the most that was ever resident.
  std::uint64_t proportional = 0;  ///< PSS: shared pages count by their share.
};

/// Throws when there is no such process or it is somebody else's.
[[nodiscard]] Memory memory_of(pid_t pid);
/// Lets the peak of this process begin anew at what is resident now.
void reset_peak();

struct Threads {
  unsigned count = 0;
  std::uint64_t wake_ups = 0;  ///< Voluntary context switches of all threads since they began.
};
[[nodiscard]] Threads threads_of(pid_t pid);

}  // namespace outpost::bench
