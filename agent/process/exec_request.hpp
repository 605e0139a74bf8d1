#pragma once

#include "agent/process/command.hpp"

#include <optional>
#include <string>
#include <vector>

namespace outpost::process {

/// A command on its way to the small program that becomes it: NUL-terminated strings behind a head of fixed size.
/// Not arguments and environment of that program: ps and systemctl would show them, and a variable such as LD_PRELOAD
/// is meant for the command alone. Writer and reader are built and installed together; the magic catches a mix-up.
class ExecRequest {
 public:
  /// Nothing when an argument or variable contains a NUL byte.
  [[nodiscard]] static std::optional<std::string> write(const Command& command);
  /// Nothing when it is not what write() makes.
  [[nodiscard]] static std::optional<ExecRequest> parse(std::string bytes);

  ExecRequest(ExecRequest&&) = default;

  [[nodiscard]] unsigned grace_ms() const { return grace_ms_; }
  [[nodiscard]] const char* program() const { return arguments_.front(); }
  [[nodiscard]] const char* directory() const { return directory_; }
  /// For execve(2): the program first, a null pointer at the end.
  [[nodiscard]] char* const* arguments() const { return arguments_.data(); }
  [[nodiscard]] char* const* environment() const { return environment_.data(); }
  [[nodiscard]] const std::vector<const char*>& outcome() const { return outcome_; }

 private:
  ExecRequest() = default;

  std::vector<char> text_;  ///< What the pointers point into: a vector keeps its place when it is moved, a string not.
  unsigned grace_ms_ = 0;
  const char* directory_ = nullptr;
  std::vector<char*> arguments_, environment_;
  std::vector<const char*> outcome_;
};

}  // namespace outpost::process
