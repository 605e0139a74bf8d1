#include "agent/files/disk_space.hpp"

#include "agent/base/text.hpp"

#include <sys/statvfs.h>

#include <string>

namespace outpost::files {

std::optional<std::uint64_t> free_bytes(int descriptor) {
  struct statvfs status{};
  if (::fstatvfs(descriptor, &status) != 0) return std::nullopt;
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

Error disk_full(const std::filesystem::path& path, std::optional<std::uint64_t> needed,
                std::optional<std::uint64_t> available) {
  std::string numbers;
  if (needed) numbers = std::to_string(*needed) + " bytes needed";
  if (available) numbers += (numbers.empty() ? "" : ", ") + std::to_string(*available) + " bytes free";
  return {Fault::retry_later, printable(path.native()) + ": the disk is full" +
                                  (numbers.empty() ? "" : " (" + numbers + ")") +
                                  "; make room on this file system and try again"};
}

}  // namespace outpost::files
