#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/workers.hpp"
#include "agent/config/credentials.hpp"
#include "agent/config/load.hpp"
#include "agent/daemon/agent.hpp"
#include "agent/daemon/alarms.hpp"
#include "agent/daemon/client.hpp"
#include "agent/daemon/clock_watch.hpp"
#include "agent/daemon/logger.hpp"
#include "agent/daemon/server_access.hpp"
#include "agent/files/cache.hpp"
#include "agent/http/client.hpp"
#include "agent/http/server.hpp"
#include "agent/http/throttle.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "agent/process/command_runner.hpp"
#include "agent/process/systemd/own_unit.hpp"
#include "agent/process/systemd/systemd_command_runner.hpp"
#include "plugins/dci/source.hpp"
#include "plugins/dci/standing.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace outpost::daemon {

/// The id of this machine and of its boot, for events.
[[nodiscard]] journal::Identity identity_of_this_host();

/// Everything that outpostd consists of, in the order in which it has to be made and taken apart. This is the only
/// place that names adapters.
class Composition {
 public:
  /// Makes what the settings ask for. An error says what an admin has to change.
  static Result<std::unique_ptr<Composition>> make(config::Settings settings, boost::asio::any_io_executor executor);
  ~Composition();

  [[nodiscard]] Agent& agent() { return *agent_; }
  [[nodiscard]] journal::Journal& journal() { return *journal_; }
  /// Starts the local API on <runtime directory>/api.sock.
  Result<void> listen();
  void stop_listening();
  /// Whether this process is told to end only to be started again, and its steps outlive it: then they are left alone.
  boost::asio::awaitable<bool> may_leave_steps();
  /// How long it may take to stop; nothing: as long as it likes.
  boost::asio::awaitable<std::optional<std::chrono::milliseconds>> stop_limit() { return own_unit_.stop_limit(); }
  /// Ends at once what would outlive a process that has no time left to close its jobs.
  boost::asio::awaitable<void> end_steps();
  [[nodiscard]] const Logger& logger() const { return logger_; }
  [[nodiscard]] const config::Settings& settings() const { return settings_; }

 private:
  Composition(config::Settings settings, boost::asio::any_io_executor executor);
  Result<void> make_directories();
  Result<void> make_journal();
  Result<void> make_runner();
  Result<void> choose_runner();
  [[nodiscard]] process::CommandRunner& step_runner() const;
  Result<void> make_integrations();
  Result<void> make_agent();
  Result<std::unique_ptr<Integration>> make_integration(const config::Source& source);
  [[nodiscard]] dci::SourceSettings source_settings(const config::Source& source);
  [[nodiscard]] dci::Standing::Options standing_options(const config::Source& source,
                                                        std::shared_ptr<config::CredentialsFile> file);
  boost::asio::awaitable<Result<std::optional<dci::Credentials>>> renew_credentials(
      std::string source, std::shared_ptr<config::CredentialsFile> file);

  config::Settings settings_;
  boost::asio::any_io_executor executor_;
  Logger logger_;
  SystemClock clock_;
  Workers workers_;
  Workers packers_{1};  ///< Compresses logs, and gives way to all the others.
  std::unique_ptr<journal::SqliteJournal> journal_;
  std::unique_ptr<process::CommandRunner> children_;  ///< The commands of the agent itself.
  std::unique_ptr<process::SystemdCommandRunner> units_;  ///< Those of steps, when systemd runs them.
  process::OwnUnit own_unit_;
  std::unique_ptr<http::Client> alarm_client_;
  std::unique_ptr<Alarms> alarms_;
  std::unique_ptr<pipeline::StepRunner> steps_;
  std::unique_ptr<pipeline::Collector> collector_;
  std::shared_ptr<http::Throttle> uploads_;  ///< Shared by all clients; nullptr: nothing holds uploads back.
  std::vector<std::unique_ptr<ServerAccess>> servers_;
  std::unique_ptr<files::Cache> cache_;
  std::filesystem::path unpacker_;
  std::vector<std::unique_ptr<Integration>> integrations_;
  std::vector<std::string> secrets_;
  std::unique_ptr<Agent> agent_;
  std::unique_ptr<ClockWatch> clock_watch_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace outpost::daemon
