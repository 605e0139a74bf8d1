#pragma once

#include "support/temporary_directory.hpp"

#include <sys/mount.h>

#include <string>

namespace outpost::test {

/// A file system of a few pages that is full at once. Needs the right to mount; `usable` says whether it worked.
struct SmallDisk {
  explicit SmallDisk(std::size_t bytes) {
    const std::string options = "size=" + std::to_string(bytes);
    usable = ::mount("tmpfs", directory.path.c_str(), "tmpfs", 0, options.c_str()) == 0;
  }
  ~SmallDisk() {
    if (usable) ::umount2(directory.path.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  TemporaryDirectory directory;
  bool usable = false;
};

}  // namespace outpost::test
