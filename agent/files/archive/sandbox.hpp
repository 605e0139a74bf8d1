#pragma once

#include <filesystem>

namespace outpost::files {

/// Takes from this process, and for good, what unpacking an archive does not need, as far as this kernel can: sockets,
/// other programs and looking into other processes (seccomp), all files but the archive and the directory of the target
/// (Landlock, from Linux 5.19 on), core dumps, and more than 4 GiB of memory. To be called while it has one thread.
void enter_sandbox(const std::filesystem::path& archive, const std::filesystem::path& target);

}  // namespace outpost::files
