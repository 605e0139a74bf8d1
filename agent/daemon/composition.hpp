#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/workers.hpp"
#include "agent/config/credentials.hpp"
#include "agent/config/load.hpp"
#include "agent/control/dbus/agent_object.hpp"
#include "agent/control/dbus/machine_restart.hpp"
#include "agent/control/dbus/shutdown_watch.hpp"
#include "agent/control/records.hpp"
#include "agent/daemon/agent.hpp"
#include "agent/daemon/alarms.hpp"
#include "agent/daemon/client.hpp"
#include "agent/daemon/clock_watch.hpp"
#include "agent/daemon/identity_lock.hpp"
#include "agent/daemon/in_force.hpp"
#include "agent/daemon/kept_secrets.hpp"
#include "agent/daemon/logger.hpp"
#include "agent/daemon/metrics.hpp"
#include "agent/daemon/promotion_keeper.hpp"
#include "agent/daemon/self_examination.hpp"
#include "agent/daemon/usage_keeper.hpp"
#include "agent/daemon/server_access.hpp"
#include "agent/files/cache.hpp"
#include "agent/http/client.hpp"
#include "agent/http/server.hpp"
#include "agent/http/throttle.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "agent/process/local/local_command_runner.hpp"
#include "agent/process/systemd/descriptor_store.hpp"
#include "agent/process/systemd/own_unit.hpp"
#include "agent/process/systemd/systemd_command_runner.hpp"
#include "agent/telemetry/exporter.hpp"
#include "plugins/dci/source.hpp"
#include "plugins/dci/standing.hpp"
#include "plugins/hooks/hook_runner.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
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
  static Result<std::unique_ptr<Composition>> make(InForce configuration, boost::asio::any_io_executor executor);
  ~Composition();

  [[nodiscard]] Agent& agent() { return *agent_; }
  [[nodiscard]] journal::Journal& journal() { return *journal_; }
  /// Starts the local API and the page on <runtime directory>/api.sock, and on TCP where that is configured.
  Result<void> listen();
  void stop_listening();
  /// Where they are on TCP, "http://127.0.0.1:8420/"; "" when they are not.
  [[nodiscard]] const std::string& page_url() const { return page_url_; }
  /// Whether this process is told to end only to be started again, and its steps outlive it: then they are left alone.
  /// Nothing when systemd does not say.
  boost::asio::awaitable<std::optional<bool>> may_leave_steps();
  /// Whether systemd has started it as a service.
  [[nodiscard]] static bool is_service() { return process::OwnUnit::is_service(); }
  /// How long it may take to stop; nothing: as long as it likes.
  boost::asio::awaitable<std::optional<std::chrono::milliseconds>> stop_limit() { return own_unit_.stop_limit(); }
  /// Begins to promote what the configuration says; not with the last good one, which only finishes what was begun.
  Result<void> start_promotions();
  /// Ends the promotions that run; the next start goes on with them.
  boost::asio::awaitable<void> end_promotions();
  /// Begins to tell a collector, when there is one.
  void start_telemetry();
  /// Tells it what is left, within a few seconds.
  boost::asio::awaitable<void> end_telemetry();
  /// Ends at once what would outlive a process that has no time left to close its jobs.
  boost::asio::awaitable<void> end_steps();
  /// Offers the agent on the system bus, and takes part in shutdowns of the machine, as far as there are such things.
  void join_system_bus();
  [[nodiscard]] const Logger& logger() const { return logger_; }
  [[nodiscard]] const config::Settings& settings() const { return settings_; }

  /// After Agent::restore(): remembers the configuration as a good one. When it is wrong, or names what cannot be read, what
  /// was begun is finished, with an alarm; when there is nothing to finish that is an error, and refused: its files are wrong.
  Result<void> settle_configuration();
  /// Reads the configuration again and goes on with it: {changed[], needs_restart[]}. malformed: it is wrong, a line for
  /// each problem; the old one stays in force and there is an alarm.
  boost::asio::awaitable<Result<boost::json::object>> reload();
  /// Tries again and again what could not be read at the start, and a port that was taken: once all is there the agent
  /// goes on as if it had been from the beginning.
  void recover();
  /// Called when a reload begins, and when it has ended either way.
  void watch_reloads(std::function<void()> begins, std::function<void()> ended);

 private:
  /// What talks to one server, before it is put together.
  struct Opened {
    std::shared_ptr<config::CredentialsFile> file;
    std::shared_ptr<ServerAccess> access;
    std::optional<Error> closed;  ///< Why nobody can talk to it (closed_server.hpp).
  };
  /// What the configuration names and does not hold: credentials, certificates, secrets.
  struct Named {
    std::vector<std::string> secrets;
    hooks::HookOptions hooks;
    std::map<std::string, Opened> servers;  ///< By the names of sources.
    std::optional<telemetry::Destination> collector;
    std::map<std::string, std::string> done_without;  ///< What could not be read, and why: by its key in the configuration.
  };
  /// The key of what tells a collector.
  static constexpr const char* collector_key = "metrics.otlp";
  /// What a reload reads from the disk.
  struct Fresh {
    config::Loaded loaded;
    std::vector<std::string> needs_restart;
    std::shared_ptr<http::Throttle> uploads;
    Named named;  ///< Servers of the sources that are new or changed alone.
    std::set<std::string> closed;  ///< The sources whose servers stay closed.
  };

  /// What GET /metrics answers, and what a collector gets.
  [[nodiscard]] std::vector<telemetry::Family> figures();

  Composition(InForce configuration, boost::asio::any_io_executor executor);
  /// With the last good configuration when this one names what cannot be read, and without what cannot be read when that
  /// one does too; in both cases only for what was begun.
  Result<void> read_named_files();
  /// `wrong`: what of the configuration cannot be read. False: nothing was left to go on with.
  bool read_what_can_be_read(const Error& wrong);
  /// `instead`: what stands for secrets that cannot be read; the servers of sources whose files cannot are closed then.
  /// Without it each of these is an error.
  static Result<Named> read_named(const config::Settings& settings, std::shared_ptr<http::Throttle> uploads,
                                  const std::function<bool(const std::string& source)>& is_wanted, const Secrets* instead = nullptr);
  Result<void> make_directories();
  /// Where the directories of the next job are made ahead of time.
  [[nodiscard]] std::filesystem::path ready_directory() const;
  Result<void> make_journal();
  Result<void> make_runner();
  Result<void> choose_runner();
  [[nodiscard]] process::CommandRunner& step_runner() const;
  Result<void> make_integrations();
  Result<void> make_agent();
  void make_promotions();
  [[nodiscard]] static Result<Opened> open_server(const config::Source& source, std::shared_ptr<http::Throttle> uploads);
  /// Who we are there is ours alone on this host; the token holds it. refused: another agent is that already.
  Result<std::shared_ptr<void>> sign_in(const config::Source& source, Opened& opened);
  Result<std::shared_ptr<Integration>> make_integration(const config::Settings& settings, const config::Source& source, Opened opened);
  [[nodiscard]] Result<std::unique_ptr<pipeline::Source>> make_source(const ServerAccess& there, const config::Settings& settings,
                                                                      const config::Source& source);
  /// Signs in at a builder, and with another login once the file was replaced.
  [[nodiscard]] std::shared_ptr<dlrn::Authorization> authorization_of(const std::string& source, const ServerAccess& there,
                                                                      std::shared_ptr<config::CredentialsFile> file);
  boost::asio::awaitable<Result<std::optional<dlrn::Login>>> renew_login(std::string source, std::shared_ptr<config::CredentialsFile> file);
  [[nodiscard]] dci::Standing::Options standing_options(const config::Source& source, std::string url,
                                                        std::shared_ptr<config::CredentialsFile> file);
  boost::asio::awaitable<Result<std::optional<dci::Credentials>>> renew_credentials(
      std::string source, std::string url, std::shared_ptr<config::CredentialsFile> file);
  [[nodiscard]] dci::SourceSettings source_settings(const config::Settings& settings, const config::Source& source);
  [[nodiscard]] static pipeline::LogOptions log_options(const config::Logs& logs);
  [[nodiscard]] static Result<hooks::HookOptions> hook_options(const config::Settings& settings, Named& named, const Secrets* instead);
  void keep_for_next_start(const Secrets& secrets);
  /// Whether no step can know an older secret.
  [[nodiscard]] bool is_nothing_begun() const;
  /// Once the journal has said that nothing is left to be finished.
  void forget_older_secrets();
  void warn_about_short(const std::map<std::string, std::string>& secrets) const;
  [[nodiscard]] Result<Alarms::Ways> alarm_ways(const config::Alarms& alarms) const;

  // What is told to a collector (composition_telemetry.cpp)
  void make_telemetry();
  /// Counts what has become durable, and tells of what has ended.
  void note(const job::Event& event);
  /// Nothing, when the configuration has none. What is in its headers joins `secrets`.
  [[nodiscard]] static Result<std::optional<telemetry::Destination>> collector_of(const config::Otlp& otlp, std::vector<std::string>& secrets);

  // What is told to those who connect (composition_api.cpp)
  void make_records();
  void make_usage_keeper();
  Result<void> listen_on_tcp(http::Handler handler);
  [[nodiscard]] boost::json::object effective_configuration() const;

  // Reading it again (composition_reload.cpp)
  boost::asio::awaitable<Result<boost::json::object>> reload_once();
  [[nodiscard]] static Result<Fresh> read_again(const std::filesystem::path& file, const config::Settings& old, std::shared_ptr<http::Throttle> uploads,
                                                std::set<std::string> closed);
  /// `happened`: for the log.
  boost::asio::awaitable<Result<boost::json::object>> put_in_force(Fresh& fresh, std::string happened);
  boost::asio::awaitable<Result<void>> go_on_with(Fresh& fresh);
  void reload_failed(const Error& error);
  boost::asio::awaitable<void> remember(config::Texts texts);

  // What was not there at the start (composition_recovery.cpp)
  /// Whether reading it again can make a difference.
  [[nodiscard]] bool lacks_something() const { return only_finishes_ && (unread_ || !done_without_.empty()); }
  boost::asio::awaitable<bool> read_once_more();
  boost::asio::awaitable<void> take_what_is_back();
  boost::asio::awaitable<bool> take_whole();
  boost::asio::awaitable<void> take_part();
  [[nodiscard]] Result<Fresh> read_unread() const;
  [[nodiscard]] Result<Fresh> read_closed() const;
  boost::asio::awaitable<bool> listen_once_more();

  config::Settings settings_;
  std::filesystem::path file_;
  config::Texts texts_;
  ConfigurationState configuration_;
  bool only_finishes_ = false;  ///< Since the start the configuration is wrong, or not all that it names can be read.
  Fault problem_fault_ = Fault::refused;
  std::optional<config::Texts> unread_;  ///< The configuration that only could not be taken because of what it names.
  std::set<std::string> closed_;  ///< The sources whose servers are closed.
  Named named_;                   ///< Until it is made use of.
  process::Stored stored_;        ///< Until the runner of steps has it.
  std::map<std::string, std::string> done_without_;  ///< As in Named.
  Secrets hook_secrets_;          ///< What a hook gets that begins now.
  Secrets kept_secrets_;          ///< What systemd keeps: also what hooks that began before know.
  std::function<void()> reload_begins_ = [] {}, reload_ended_ = [] {};
  bool reloading_ = false, recovering_ = false;
  boost::asio::any_io_executor executor_;
  /// Unlike a Wakeup it lets more than one wait.
  boost::asio::steady_timer recovered_{executor_, boost::asio::steady_timer::time_point::max()};
  Logger logger_;
  SystemClock clock_;
  Workers workers_;
  Workers packers_{1};  ///< Compresses logs, and gives way to all the others.
  std::unique_ptr<journal::SqliteJournal> journal_;
  std::unique_ptr<process::LocalCommandRunner> children_;  ///< The commands of the agent itself.
  std::unique_ptr<process::SystemdCommandRunner> units_;  ///< Those of steps, when systemd runs them.
  process::OwnUnit own_unit_;
  std::unique_ptr<Alarms> alarms_;
  std::shared_ptr<pipeline::StepRunner> steps_;
  std::unique_ptr<pipeline::Collector> collector_;
  std::shared_ptr<http::Throttle> uploads_;  ///< Shared by all clients; nullptr: nothing holds uploads back.
  std::vector<std::weak_ptr<ServerAccess>> servers_;  ///< Of the integrations.
  std::unique_ptr<files::Cache> cache_;
  std::filesystem::path unpacker_;
  IdentityLocks identities_{[this](const std::string& message) { logger_.warning(message); }};
  std::vector<std::shared_ptr<Integration>> integrations_;  ///< Until the agent has them.
  std::vector<std::string> secrets_;
  std::unique_ptr<Agent> agent_;
  std::unique_ptr<PromotionKeeper> promotions_;
  std::unique_ptr<ClockWatch> clock_watch_;
  std::unique_ptr<SelfExamination> doctor_;
  std::unique_ptr<UsageKeeper> usage_;
  std::unique_ptr<control::Records> records_;
  std::string page_url_, page_token_;
  std::unique_ptr<http::Server> server_;
  http::Handler page_handler_;  ///< As long as the page is not on TCP, where it should be.
  std::unique_ptr<control::AgentObject> bus_object_;
  std::unique_ptr<control::ShutdownWatch> shutdown_watch_;
  std::unique_ptr<control::MachineRestart> machine_restart_;
  std::shared_ptr<void> shutdown_trigger_;
  Metrics metrics_;
  std::unique_ptr<telemetry::Exporter> telemetry_;
  std::shared_ptr<void> metrics_trigger_;
};

}  // namespace outpost::daemon
