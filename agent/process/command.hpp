#pragma once

#include "agent/process/deadline.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace outpost::process {

/// What a command may take of this machine; a runner that cannot enforce a limit ignores it.
struct Limits {
  std::optional<std::uint64_t> memory;  ///< Bytes; who wants more is killed.
  std::optional<std::uint64_t> tasks;   ///< Processes and threads at once.
  std::optional<unsigned> cpu_percent;  ///< Of one processor: 200 is two of them.
};

/// A program to run on this machine.
struct Command {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  ///< "NAME=value"; nothing is inherited.
  std::filesystem::path directory = "/";
  std::chrono::milliseconds deadline = std::chrono::hours{4};
  std::shared_ptr<Deadline> movable;  ///< Counts instead of `deadline`, when there is one.
  std::chrono::milliseconds grace = std::chrono::seconds{10};  ///< From SIGTERM to SIGKILL.
  std::string name;      ///< By which adopt() finds it again, in this boot.
  unsigned slot = 1;     ///< Whose user runs it, where each slot has one; two commands of a slot never overlap.
  std::string profile;   ///< Of the sandbox, where there are several; empty: the default.
  Limits limits;
  std::vector<std::filesystem::path> outcome;  ///< Directories whose content this program reads once it has ended.
  /// Hears that the command is asked to end, because its time is up (true) or it was cancelled: its grace begins.
  std::function<void(bool timed_out)> stopping = [](bool) {};
};

// How a command ended. "exit 15" and "killed by signal 15" are different facts.
struct Exited { int status; };
struct Killed { int signal; };
struct TimedOut {};
struct Cancelled {};
/// It wanted more memory than its limit, or than there was.
struct OutOfMemory {};
/// Somebody else had its unit stopped.
struct StoppedOutside {};
/// What supervised it died too, so nobody knows; no process is left all the same.
struct Lost { std::string why; };
using Ending = std::variant<Exited, Killed, TimedOut, Cancelled, OutOfMemory, StoppedOutside, Lost>;

/// What a command and everything below it took; what was not measured is not there.
struct Figures {
  std::optional<std::uint64_t> cpu_us;       ///< User and system time, microseconds.
  std::optional<std::uint64_t> memory_peak;  ///< Bytes.
  std::optional<std::uint64_t> read_bytes, written_bytes;  ///< From and to disks.
  std::optional<std::uint64_t> tasks_peak;   ///< Processes and threads at once.
  std::optional<std::uint64_t> oom_kills;    ///< Processes that the kernel killed for want of memory.
};

struct Finished {
  Ending ending;
  unsigned leftovers = 0;  ///< Processes that were still there when the command itself had ended, and were killed.
  Figures figures;
  bool output_lost = false;  ///< It ended while nobody kept its output: the last of that, a pipe full at most, may be missing.
};

}  // namespace outpost::process
