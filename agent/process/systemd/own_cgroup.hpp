#pragma once

#include "agent/process/command.hpp"
#include "agent/process/usage.hpp"

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_set>

namespace outpost::process {

/// The control group that this process is in, in either version of them, or both side by side. Or another: whose text of
/// memberships is given counts.
class OwnCgroup {
 public:
  /// `memberships`: the text of /proc/self/cgroup; `mounted`: where control groups are mounted.
  OwnCgroup(std::string memberships, std::filesystem::path mounted);

  /// What the kernel has counted for the group; what it does not count, or not here, is left out.
  [[nodiscard]] Figures figures() const;
  /// What it takes now. Version 2 only, or what version 1 counts for it alone.
  [[nodiscard]] Usage usage() const;
  /// Who is in it, this process included.
  [[nodiscard]] std::unordered_set<pid_t> processes() const;

 private:
  [[nodiscard]] std::filesystem::path path_in(std::string_view controller) const;
  [[nodiscard]] std::filesystem::path directory_of(std::string_view controller) const;
  [[nodiscard]] bool is_unified() const;

  std::string memberships_;
  std::filesystem::path mounted_;
};

}  // namespace outpost::process
