#pragma once

#include "agent/base/workers.hpp"
#include "agent/config/settings.hpp"
#include "agent/daemon/alarms.hpp"
#include "agent/daemon/logger.hpp"
#include "agent/daemon/promotion_run.hpp"
#include "agent/journal/journal.hpp"
#include "agent/process/command_runner.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/array.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace outpost::daemon {

/// Promotes the releases of the configuration again and again. Each run is `outpost promote` in a process of its own: a
/// push that lasts for hours holds nobody up, and what the daemon's end interrupts the next run finishes or puts back.
/// The command's lock on the release keeps it apart from whoever runs it by hand.
class PromotionKeeper {
 public:
  /// All outlive it.
  struct Ports {
    boost::asio::any_io_executor executor;
    journal::Journal& journal;
    process::CommandRunner& commands;
    Workers& workers;
    const Clock& clock;
    const Logger& logger;
    Alarms& alarms;
  };
  struct Options {
    std::filesystem::path program;          ///< `outpost`
    std::filesystem::path state_directory;  ///< Of the promoter: the one that the command has by default.
    std::filesystem::path credentials_directory;  ///< systemd's; may be empty.
    std::vector<std::string> environment;   ///< "NAME=value", below what `credentials` says.
  };

  PromotionKeeper(Ports ports, Options options);

  /// Reads from the journal what was promoted last.
  Result<void> restore();

  /// Goes on with these promotions: new ones begin at once, and so do those that have changed. One that is no longer
  /// among them lets its run end, and its alarm goes.
  void go_on_with(const std::map<std::string, config::Promotion>& wanted);

  /// Ends what runs, and returns when nothing does any more.
  boost::asio::awaitable<void> stop();

  /// Of each promotion what it does and what came of it (agent/control/README.md).
  [[nodiscard]] boost::json::array status() const;

 private:
  struct Duty;

  void begin(const config::Promotion& settings);
  boost::asio::awaitable<void> work(std::shared_ptr<Duty> duty);
  boost::asio::awaitable<void> run_once(std::shared_ptr<Duty> duty);
  boost::asio::awaitable<void> finish(std::shared_ptr<Duty> duty, PromotionRun run);
  [[nodiscard]] static Result<process::Command> command_of(const config::Promotion& settings, const Options& options);
  [[nodiscard]] boost::json::object status_of(const Duty& duty) const;
  void note_promoted(const job::Event& event);

  struct Last {
    std::string hash;
    Timestamp at{};
  };

  Ports ports_;
  Options options_;
  std::map<std::string, std::shared_ptr<Duty>> duties_;
  std::vector<std::weak_ptr<Duty>> all_;  ///< Those that are leaving too.
  std::map<std::string, std::map<std::string, Last>> promoted_;  ///< By promotion and target.
};

}  // namespace outpost::daemon
