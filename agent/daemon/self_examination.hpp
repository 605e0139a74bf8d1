#pragma once

#include "agent/base/clock.hpp"
#include "agent/process/command_runner.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace outpost::daemon {

/// What `outpost doctor` finds where the daemon is: as its user, within its limits and its view of the disk, which the
/// shell of an admin does not share. The checks wait for networks for seconds, so they are run in a process of their
/// own, one at a time and when somebody wants to see them. What was found last is kept.
class SelfExamination {
 public:
  struct Options {
    std::filesystem::path program;         ///< `outpost`
    std::filesystem::path configuration;   ///< outpost.yml
    std::vector<std::string> environment;  ///< "NAME=value"
  };

  /// However often somebody asks, what was found is kept for so long: the checks ask the control servers too.
  static constexpr std::chrono::seconds least_age{10};

  SelfExamination(boost::asio::any_io_executor executor, process::CommandRunner& runner, const Clock& clock,
                  Options options);

  /// What was found last: {running, looked_at, took_ms, error, report}. `report` is that of `outpost doctor --json`, null
  /// before the first one; `error` says why the last look came to nothing. When what is known is older than `most_age`,
  /// a look begins and `running` is true.
  [[nodiscard]] boost::json::object found(std::chrono::seconds most_age);

 private:
  struct State;
  static boost::asio::awaitable<void> look(std::shared_ptr<State> state);

  boost::asio::any_io_executor executor_;
  std::shared_ptr<State> state_;
};

/// The program `outpost` that belongs to the running daemon: beside it, or in the bin beside its sbin.
[[nodiscard]] std::filesystem::path find_command_line();

}  // namespace outpost::daemon
