#pragma once

#include "plugins/hooks/plugin.hpp"
#include "plugins/hooks/trial/test_report.hpp"

#include <filesystem>
#include <optional>

namespace outpost::daemon {

/// One run of one case of a plugin's tests.
struct Trial {
  const hooks::Plugin& plugin;
  const hooks::TestCase& test;
  std::optional<hooks::InjectedFault> fault;
  std::filesystem::path directory;     ///< For stubs, logs, results; made here.
  std::filesystem::path stub_program;  ///< outpost-stub.
};

/// Runs it as `outpost plugin run` runs a job, in a process of its own, which has no other environment than the case
/// gives, and which a fault may kill. Call it while this process has one thread. Blocks.
[[nodiscard]] hooks::TestOutcome run_trial(const Trial& trial);

}  // namespace outpost::daemon
