#include "agent/base/own_programs.hpp"

#include <unistd.h>

namespace outpost {

Result<std::filesystem::path> find_own_program(const std::string& name) {
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const std::filesystem::path installed{OUTPOST_LIBEXEC_DIR};
  for (const auto& folder : {self.parent_path(), installed, installed / "bin"}) {
    auto candidate = folder / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return Error{Fault::unavailable, name + " is neither in " + self.parent_path().string() + " nor in " +
                                       installed.string() + ": install outpost completely"};
}

}  // namespace outpost
