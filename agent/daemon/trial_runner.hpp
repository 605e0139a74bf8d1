#pragma once

#include "agent/process/command_runner.hpp"
#include "plugins/hooks/trial/expectations.hpp"

#include <boost/asio/steady_timer.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace outpost::daemon {

/// What a TrialRunner does beside running the commands.
struct TrialPlan {
  const hooks::TestCase& test;
  std::optional<hooks::InjectedFault> fault;
  std::filesystem::path commands;       ///< Stubs; first in the PATH of every hook.
  std::filesystem::path lab;            ///< What the case calls $LAB.
  std::function<void()> fill_the_disk;  ///< For the fault disk_full.
};

/// Runs the commands of a job that tests a plugin: puts what the case gives into their directories and the stubs into
/// their PATH, looks at the files when the hook under test has ended, and strikes with the fault while it runs.
///
/// Out of memory: the hook and everything below it gets SIGKILL, as from the kernel, and that is told as its ending.
/// Kill the agent: this process gets SIGKILL.
class TrialRunner final : public process::CommandRunner {
 public:
  /// `seen` outlives it, and gets variables, files, leftovers, and whether the fault struck.
  TrialRunner(process::CommandRunner& real, TrialPlan plan, hooks::Observed& seen, std::function<void()> cancel_job);

  boost::asio::awaitable<Result<process::Finished>> run(process::Command command, process::Output& output) override;
  [[nodiscard]] bool outlives() const override { return real_.outlives(); }
  [[nodiscard]] bool overlaps() const override { return real_.overlaps(); }
  boost::asio::awaitable<process::Left> look_for(process::Command command) override {
    return real_.look_for(std::move(command));
  }
  boost::asio::awaitable<Result<process::Finished>> adopt(process::Command command, process::Output& output) override {
    return real_.adopt(std::move(command), output);
  }
  [[nodiscard]] Result<std::optional<gid_t>> group_of(unsigned slot) const override { return real_.group_of(slot); }
  boost::asio::awaitable<bool> is_part_of(process::Command command, pid_t process) override {
    return real_.is_part_of(std::move(command), process);
  }
  [[nodiscard]] std::optional<std::filesystem::path> private_directory(unsigned slot) const override {
    return real_.private_directory(slot);
  }
  [[nodiscard]] std::string_view name() const override { return real_.name(); }

 private:
  boost::asio::awaitable<Result<process::Finished>> run_under_test(process::Command command, process::Output& output);
  /// Beside a hook, until it is over.
  static boost::asio::awaitable<void> strike_later(TrialRunner& self, std::shared_ptr<boost::asio::steady_timer> timer,
                                                   std::shared_ptr<bool> over);
  void strike();
  [[nodiscard]] Result<void> place_given_files();
  void look_at_files();

  process::CommandRunner& real_;
  TrialPlan plan_;
  hooks::Observed& seen_;
  std::function<void()> cancel_job_;
  std::map<std::string, std::string> variables_;  ///< Of the hook that runs.
  std::set<std::string> given_;                   ///< What is placed already.
};

}  // namespace outpost::daemon
