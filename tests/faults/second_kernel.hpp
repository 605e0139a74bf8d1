#pragma once

#include "integration/sample_lab.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace outpost::test {

/// A kernel of its own (User-Mode Linux): its disks lose what was not synced when it is cut, and its network can be
/// slowed as the first one's cannot. It sees this machine's files, read-only, and reaches the test at 10.77.0.1.
class SecondKernel {
 public:
  /// Where the test listens, and the machine's own address.
  static constexpr const char* test_address = "10.77.0.1";
  static constexpr const char* own_address = "10.77.0.2";

  /// Why there can be none here; "" when there can. Enters a network of its own, for all that the process starts then.
  static std::string why_not();

  /// `script` is bash and runs in it, as root. /mnt/out there is `directory` here; what is written there survives every
  /// cut. `disk`, unless empty, is an image that it finds as /dev/ubda.
  SecondKernel(std::filesystem::path directory, const std::string& script, const std::filesystem::path& disk = {});
  ~SecondKernel();
  SecondKernel(const SecondKernel&) = delete;
  SecondKernel& operator=(const SecondKernel&) = delete;

  /// The power goes, now.
  void cut();
  [[nodiscard]] std::string console() const;

 private:
  std::filesystem::path directory_;
  std::unique_ptr<Process> process_;
};

}  // namespace outpost::test
