#pragma once

#include "agent/base/descriptor.hpp"
#include "agent/base/result.hpp"

#include <filesystem>
#include <string>

#include <sys/types.h>

namespace outpost::process {

/// The three descriptors that a guardian begins with, see guardian_protocol.hpp; they stay the caller's.
struct GuardianDescriptors {
  int request, output, control;
};

/// Starts guardians. The program is started once, as a server that forks them: a sixth of the time, and an upgrade that
/// replaces its file later does not concern us. Where it cannot be had, each guardian is a program of its own.
class GuardianServer {
 public:
  explicit GuardianServer(std::filesystem::path program) : program_{std::move(program)} {}
  /// Ends the server, not the guardians.
  ~GuardianServer();
  GuardianServer(const GuardianServer&) = delete;
  GuardianServer& operator=(const GuardianServer&) = delete;

  /// The pid of a new guardian, a child of ours. `own_control` is our end of its control socket. `for_ps` is what a
  /// guardian with a program of its own shows as its argument. unavailable: which program, and why; nothing runs then.
  [[nodiscard]] Result<pid_t> start(const GuardianDescriptors& descriptors, int own_control, const std::string& for_ps);

 private:
  [[nodiscard]] bool is_running();
  void stop();

  std::filesystem::path program_;
  pid_t pid_ = -1;
  Descriptor socket_;
};

}  // namespace outpost::process
