#pragma once

#include "agent/base/wakeup.hpp"
#include "agent/base/workers.hpp"
#include "agent/config/settings.hpp"
#include "agent/control/agent_control.hpp"
#include "agent/daemon/alarms.hpp"
#include "agent/daemon/claim_gate.hpp"
#include "agent/daemon/disk_keeper.hpp"
#include "agent/daemon/log_room.hpp"
#include "agent/daemon/logger.hpp"
#include "agent/daemon/queue.hpp"
#include "agent/daemon/retention.hpp"
#include "agent/daemon/source_by_name.hpp"
#include "agent/daemon/spool_export.hpp"
#include "agent/daemon/spool_keeper.hpp"
#include "agent/delivery/dispatcher.hpp"
#include "agent/delivery/spool_seal.hpp"
#include "agent/journal/bulletin.hpp"
#include "agent/journal/deliveries.hpp"
#include "agent/journal/journal.hpp"
#include "agent/pipeline/job_runner.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace outpost::daemon {

/// One configured control server: the source that offers its work, and the reporter that tells it the results.
struct Integration {
  std::shared_ptr<void> identity;  ///< Held against other agents of this host.
  std::shared_ptr<void> access;    ///< What source and reporter stand on; it goes after them.
  config::Source settings;
  std::unique_ptr<pipeline::Source> source;
  std::unique_ptr<pipeline::Reporter> reporter;
  std::unique_ptr<delivery::Dispatcher> dispatcher;
  delivery::SpoolKey spool_key;  ///< Seals what is exported of its deliveries.

  // Its life; the agent's.
  bool leaving = false;  ///< No longer configured: nothing new is taken; it goes when its jobs have ended and all is told.
  bool retired = false;  ///< Its loops end.
  bool delivers = false;  ///< The dispatcher runs.
  boost::asio::cancellation_signal stop_delivery;
  std::unique_ptr<Wakeup> poll_wakeup;
  std::unique_ptr<Wakeup> watch_wakeup;  ///< A job of it has begun, or somebody wants to know at once.
  std::unique_ptr<Wakeup> life_wakeup;  ///< A job of it has ended, it retires, or its delivery has ended.

  // How polling goes; the agent's.
  bool polled = false;        ///< There is a definition to ask for.
  bool answers = false;       ///< The last poll was answered; false before the first.
  bool refused = false;       ///< The last poll was refused, for every definition.
  bool credentials_refused = false;  ///< For our credentials: nothing of it gets through.
  unsigned failures = 0;      ///< Polls in a row that were not answered.
  Timestamp last_poll{};      ///< The last poll that was answered.
  Timestamp silent_since{};   ///< The last answer, or the first poll.
  std::optional<std::chrono::steady_clock::time_point> poll_due;  ///< When the next poll begins; nothing while one goes on.
  std::string last_error;     ///< Why the last poll failed, for one definition at least; not what was refused to one.
};

struct AgentPorts {
  journal::Journal& journal;
  journal::Deliveries& deliveries;
  std::shared_ptr<pipeline::StepRunner> steps;
  pipeline::Collector& collector;
  Workers& workers;
  const Clock& clock;
  const Logger& logger;
  Alarms& alarms;
};

/// Which configuration is in force.
struct ConfigurationState {
  std::string file;      ///< outpost.yml
  Timestamp since{};     ///< When it was read, or for the last good one, when that was.
  bool last_good = false;  ///< The files were wrong at the start.
  std::string problem;   ///< Why the files, as they are now, are not in force; empty when they are.
};

struct AgentOptions {
  std::function<ConfigurationState()> configuration = [] { return ConfigurationState{}; };
  /// Reads the files again: {changed[], needs_restart[]}. malformed: they are wrong, a line for each problem.
  std::function<boost::asio::awaitable<Result<boost::json::object>>()> reload;
  std::string runner_name;                                              ///< Of what runs the steps, for the status.
  std::chrono::milliseconds delivery_patience = std::chrono::seconds{10};  ///< For what waits to be sent when we stop.
  std::function<std::uint64_t()> journal_size = [] { return std::uint64_t{0}; };  ///< Bytes on disk, for the status.
  std::function<boost::json::array()> promotions = [] { return boost::json::array{}; };  ///< For the status.
  std::function<boost::json::object()> telemetry = [] { return boost::json::object{}; };  ///< For the status; empty: none.
  /// Restarts the machine; returns when that has begun. retry_later: somebody holds it up. Empty: nobody can.
  std::function<boost::asio::awaitable<Result<void>>()> restart_machine;
  std::chrono::milliseconds restart_interval = std::chrono::seconds{5};  ///< Between two tries to restart the machine.
  std::chrono::milliseconds restart_patience = std::chrono::minutes{5};  ///< With whoever holds that up.
  std::chrono::milliseconds journal_patience = std::chrono::minutes{1};    ///< With a journal that cannot be written when we stop.
};

/// What a new configuration brings, beside its settings.
struct Reconfiguration {
  config::Settings settings;
  std::vector<std::shared_ptr<Integration>> integrations;  ///< New ones, and those that replace one of their name.
  std::shared_ptr<pipeline::StepRunner> steps;             ///< For the jobs that start from now on.
  pipeline::LogOptions logs;
  std::vector<std::string> secrets;  ///< More texts that must never be seen in a log.
};

/// A draft for the journal.
[[nodiscard]] job::Event make_event(std::string_view type, std::string job_id, boost::json::object data);

/// A job that waits from now on; with `backlog` newer components don't supersede it.
[[nodiscard]] job::Event queued(std::string id, const job::Definition& definition, const std::vector<job::Component>& set, bool backlog);

/// The daemon's heart: polls the sources, queues jobs for new components, gives slots and resources to those that may
/// run, and takes up after a restart what the journal says was unfinished.
class Agent final : public control::AgentControl {
 public:
  Agent(boost::asio::any_io_executor executor, AgentPorts ports, config::Settings settings,
        std::vector<std::shared_ptr<Integration>> integrations, pipeline::JobOptions job_options, AgentOptions options);

  /// Reads the journal: what was seen, what waits, what was running. Call it before run().
  Result<void> restore();

  /// Works until stop() was called, every job has ended, and what they gave rise to was delivered or the patience is
  /// over. With a journal that cannot be written it leaves the jobs to the next start instead.
  boost::asio::awaitable<void> run();

  /// Claims nothing more, whatever anybody says from now on, and lets running jobs end: returns when none is at work any
  /// more, or at `until`. Then call stop(). `reason` is for people.
  boost::asio::awaitable<void> finish_jobs(std::string reason, std::chrono::steady_clock::time_point until);
  /// Jobs that go on by themselves; not those that stop() leaves to the next start: whose claim is under way, or that
  /// wait for a restart of the machine.
  [[nodiscard]] std::size_t at_work() const;

  /// Claims nothing more; running jobs are cancelled ("agent stopped"), their closing stages still run. A claim whose
  /// answer is still open is left to the next start.
  void stop(std::string reason);

  /// Writes down that this process ends and leaves everything as it is, for the next one to go on with: running steps
  /// too, which have to outlive it. When it returns the process has to end.
  boost::asio::awaitable<void> leave(std::string reason);

  /// Goes on with another configuration. Jobs that run keep the plugins, secrets and limits that they began with; where
  /// their source is reached is asked anew each time. A source that is no longer there lets its running jobs end and
  /// delivers what it has to say. An error: nothing has changed. Not more than one at a time.
  boost::asio::awaitable<Result<void>> reconfigure(Reconfiguration parts);

  /// The machine goes down, or does not after all: written down.
  boost::asio::awaitable<void> note_shutdown(bool goes_down);
  /// Which running jobs say that the machine must not go down; "" when none does.
  [[nodiscard]] std::string must_not_go_down() const;

  /// Jobs that were claimed and have not ended; after restore() those that run() will go on with.
  [[nodiscard]] std::size_t unfinished() const { return unfinished_.size() + running_.size(); }
  /// Nothing is claimed until this is called with "": the configuration on disk is wrong, and only what was begun is
  /// finished.
  void close_claims(std::string reason);

  /// What should have begun more than a minute before `now` and has not: a poll, an attempt to deliver, a write to the
  /// journal. "" when all is on time. A server or a disk that takes long is never late: what has begun may last.
  [[nodiscard]] std::string overdue(std::chrono::steady_clock::time_point now) const;

  // control::AgentControl
  boost::json::object status() override;
  Result<boost::json::array> jobs(std::size_t limit) override;
  Result<boost::json::object> job(const std::string& job_id) override;
  Result<void> cancel(const std::string& job_id, const std::string& reason) override;
  boost::asio::awaitable<Result<std::string>> run_job(std::string name) override;
  boost::asio::awaitable<Result<std::string>> retry_job(std::string job_id) override;
  boost::asio::awaitable<Result<void>> hold_job(std::string job_id, std::string reason) override;
  boost::asio::awaitable<Result<void>> release_job(std::string job_id) override;
  boost::asio::awaitable<void> note_asked(control::Asked asked) override;
  void poll_now() override;
  boost::json::object claims() override { return gate_.to_json(running_.size()); }
  boost::asio::awaitable<Result<boost::json::object>> pause(control::Scope scope, std::string reason) override;
  boost::asio::awaitable<Result<boost::json::object>> resume(control::Scope scope, bool all) override;
  boost::asio::awaitable<Result<boost::json::object>> drain(std::string reason) override;
  boost::asio::awaitable<Result<boost::json::object>> reload() override;
  boost::asio::awaitable<Result<control::SpoolStream>> export_spool(std::string reporter) override;
  boost::asio::awaitable<Result<boost::json::object>> confirm_spool(http::ServerRequest& receipt) override;
  Result<boost::json::object> spool() override;
  Result<boost::json::array> flush_spool(const std::string& reporter) override;
  boost::asio::awaitable<Result<boost::json::object>> prune_spool(control::Pruning wanted) override;
  Result<boost::json::array> reporters() override;
  boost::asio::awaitable<Result<boost::json::object>> forget_reporter(std::string name, bool drop_waiting) override;
  Result<void> acknowledge(const std::string& alarm) override;
  Result<boost::json::array> parked(const std::string& reporter) override;
  boost::asio::awaitable<Result<std::size_t>> retry(std::string reporter, std::vector<std::string> keys) override;

  /// A source accepts our credentials again: what waited for that need not wait for its next regular try.
  void credentials_accepted(const std::string& source);
  /// Somebody set this machine's clock: who was refused for it asks again at once.
  void clock_was_set();
  /// One more text that must never be seen in a log: replaced credentials.
  void add_secret(const std::string& secret);
  /// The credentials of a source were replaced: what seals its archives from now on, and what is held against other
  /// agents of this host.
  void renew_identity(const std::string& source, delivery::SpoolKey key, std::shared_ptr<void> held);

 private:
  /// What is remembered of a definition, whatever its settings become.
  struct History {
    std::set<std::string> seen;  ///< Ids of components.
    bool looked_at = false;  ///< Nothing was there: whatever comes is new.
    Timestamp last_new{};
    [[nodiscard]] bool is_known() const { return looked_at || !seen.empty(); }
    std::optional<std::string> unmatched;  ///< The selection of which was told that nothing matches it.
    std::string refusal;  ///< Why the source will not say what there is; "" when it does.
    unsigned refusals = 0, polls_left_out = 0;  ///< So often in a row; it is not asked for in so many of the next polls.
  };
  struct Definition {
    job::Definition value;
    config::Job settings;
    std::shared_ptr<History> history;
  };
  using Definitions = std::vector<std::shared_ptr<const Definition>>;
  /// A job at work, with what it was started with.
  struct Running {
    std::unique_ptr<pipeline::Source> source;
    std::shared_ptr<pipeline::StepRunner> steps;
    std::unique_ptr<pipeline::JobRunner> runner;
    pipeline::JobRunner* operator->() const { return runner.get(); }
  };
  /// A claim that the source has neither granted nor refused yet.
  struct OpenClaim {
    Timestamp since{};    ///< The first failure.
    std::string problem;  ///< The last one.
  };
  struct PollOutcome {
    // For one definition at least: it was asked for; the server was there; it was not refused; we are known there.
    bool asked = false, answered = false, offered = false, accepted = false;
    std::optional<Error> failure;  ///< Of the last definition that failed, but was not refused.
  };

  // What travels in an archive (agent_spool.cpp)
  [[nodiscard]] std::vector<SpoolOwner> spool_owners() const;
  [[nodiscard]] Result<Timestamp> oldest_waiting(const std::string& reporter);
  boost::asio::awaitable<Result<std::string>> next_of(std::shared_ptr<SpoolExport> running);
  boost::asio::awaitable<Result<void>> save_body(http::ServerRequest& request, std::filesystem::path file);

  // Whether jobs are claimed (agent_claims.cpp)
  Result<void> restore_claims();
  void claims_changed();
  void not_released(const job::Definition& definition, const std::string& why);
  boost::asio::awaitable<Result<void>> note(std::string_view type, boost::json::object data);
  [[nodiscard]] Result<void> check_scope(const control::Scope& scope) const;
  void look_if_drained();
  [[nodiscard]] std::string why_it_waits(const job::Story& story) const;

  // The hooks of its own life (agent_life.cpp)
  [[nodiscard]] std::vector<pipeline::Step> own_hooks(job::Stage point);
  boost::asio::awaitable<std::map<std::string, std::string>> run_own_hooks(job::Stage point);
  boost::asio::awaitable<std::string> run_own_hook(pipeline::Step step);
  void hold_until_healthy();
  boost::asio::awaitable<void> health_loop();
  boost::asio::awaitable<void> begin_life();
  boost::asio::awaitable<void> end_life();
  boost::asio::awaitable<void> check_health();

  // Restarts of the machine (agent_reboot.cpp)
  struct RestartWish;
  using RestartWishes = std::map<std::string, std::shared_ptr<Wakeup>>;  ///< By job.
  boost::asio::awaitable<Result<void>> restart_machine(std::string job_id, std::string why);
  void restart_wishes_changed();

  // Jobs that somebody asks for (agent_requests.cpp)
  boost::asio::awaitable<Result<std::string>> enqueue(const Definition& definition, std::vector<job::Component> components, std::string why);

  // Another configuration (agent_reload.cpp)
  [[nodiscard]] Definitions definitions_of(const config::Settings& settings, Definitions& fresh) const;
  boost::asio::awaitable<void> put_in_place(std::shared_ptr<Integration> made);
  boost::asio::awaitable<void> dismiss(std::shared_ptr<Integration> leaving);
  boost::asio::awaitable<void> retire(std::shared_ptr<Integration> old);
  [[nodiscard]] bool is_needed(const Integration& leaving) const;
  void settle_sources();
  void take_up_orphans();

  // Life (agent.cpp)
  void start_work();
  void start_loops(const std::shared_ptr<Integration>& each);
  void adopt(const std::shared_ptr<Integration>& each);
  void clear_delivery_alarms(const std::string& reporter);
  boost::asio::awaitable<bool> wait_until_stopped();
  boost::asio::awaitable<void> say_goodbye();
  boost::asio::awaitable<void> retention_loop();
  boost::asio::awaitable<void> make_next_directory();
  boost::asio::awaitable<void> disk_loop();
  [[nodiscard]] boost::json::object disk_status() const;
  [[nodiscard]] boost::json::object spool_status() const;
  [[nodiscard]] boost::json::array shown_by(const job::Story& story) const;
  void close_orphan(job::Story story, const std::string& reason);
  void withdraw(const std::string& job_id, const std::string& reason);
  boost::asio::awaitable<Result<std::vector<job::Event>>> append(std::vector<job::Event> events);
  boost::asio::awaitable<void> append_only(std::vector<job::Event> events);
  void journal_failed(const Error& error);
  void log_failed(const std::string& log, const std::optional<Error>& why);
  boost::asio::awaitable<bool> make_room_for_log();
  void report_bug(const std::string& what, const std::string& thrown);
  void spawn(boost::asio::awaitable<void> work, std::string what);
  void keep_going(std::function<boost::asio::awaitable<void>()> work, std::string what);
  boost::asio::awaitable<void> again_and_again(std::function<boost::asio::awaitable<void>()> work, std::string what);
  /// Also one that is leaving.
  [[nodiscard]] std::shared_ptr<Integration> integration(const std::string& name) const;
  [[nodiscard]] bool is_configured(const std::string& source) const;
  [[nodiscard]] std::shared_ptr<const Definition> definition(const std::string& name) const;

  // What the journal says (agent_restore.cpp)
  Result<void> restore_seen(const Definitions& definitions);
  static void note_seen(const Definitions& definitions, const job::Event& told);
  Result<void> restore_jobs();
  void keep_orphan(job::Story story);
  void clear_alarms_of_before();
  void clear_stale_alarms();
  /// The story as these types of events tell it; all when there are none.
  [[nodiscard]] Result<job::Story> load(const std::string& job_id, std::vector<std::string> types = {});

  // From components to jobs that wait (agent_polling.cpp)
  boost::asio::awaitable<void> poll_loop(std::shared_ptr<Integration> integration);
  boost::asio::awaitable<void> wait_for_poll(Integration& integration);
  [[nodiscard]] std::chrono::milliseconds pause_before_poll(const Integration& integration);
  boost::asio::awaitable<void> poll_all(Integration& integration);
  void note_offer(const Definition& definition, const std::vector<pipeline::Candidates>& candidates);
  void note_refusal(const Definition& definition, std::string why);
  static void leave_out(History& history, std::chrono::milliseconds poll);
  void leave_none_out();
  void report_poll(Integration& integration, const PollOutcome& outcome);
  /// Why not everything of it is polled; "" when all is.
  [[nodiscard]] std::string trouble_of(const Integration& integration) const;
  void hurry_claims(const std::string& source);
  boost::asio::awaitable<void> watch_loop(std::shared_ptr<Integration> integration);
  [[nodiscard]] std::vector<std::string> watched_jobs(const Integration& integration) const;
  boost::asio::awaitable<Result<void>> watch_jobs(Integration& integration);
  boost::asio::awaitable<void> take_in(std::shared_ptr<const Definition> definition, std::vector<pipeline::Candidates> candidates);
  boost::asio::awaitable<void> note_empty_history(const Definition& definition);
  [[nodiscard]] static std::vector<job::Event> outdated(const job::Story& story, const std::string& newer_id);
  [[nodiscard]] std::vector<job::Event> withdraw_outdated(const std::string& name, const std::string& newer_id);
  void note_news(const Definition& definition, bool news);

  // From jobs that wait to jobs that have ended (agent_jobs.cpp)
  boost::asio::awaitable<void> schedule_loop();
  void start_jobs();
  void end_closed_claims();
  [[nodiscard]] Running make_runner(job::Story story);
  void claim_decided(const job::Definition& definition, const std::string& id, const std::string& refusal);
  void claim_failed(const job::Definition& definition, const std::string& id, const std::string& why);
  void claim_ended(const job::Definition& definition, const std::string& id);
  void start_job(job::Story story, const std::string& cancel_reason = {});
  boost::asio::awaitable<void> work_on(std::string id);
  static boost::asio::awaitable<std::string> run_guarded(pipeline::JobRunner& runner);
  boost::asio::awaitable<void> end_broken(std::string id, std::string thrown);
  [[nodiscard]] bool may_claim(const job::Story& story) const;
  [[nodiscard]] bool claiming_is_allowed(const job::Definition& definition) const;
  [[nodiscard]] bool plugins_are_right(job::Definition of_job) const;
  [[nodiscard]] boost::json::object plugin_config_of(const job::Definition& of_job) const;
  [[nodiscard]] bool window_is_open(const std::string& definition_name) const;
  void put_back(job::Story story);
  [[nodiscard]] std::chrono::milliseconds until_next_look() const;

  boost::asio::any_io_executor executor_;
  AgentPorts ports_;
  config::Settings settings_;
  std::vector<std::shared_ptr<Integration>> integrations_;  ///< Those that are leaving too.
  pipeline::JobOptions job_options_;
  AgentOptions options_;
  Definitions definitions_;
  Queue queue_;
  ClaimGate gate_;
  std::map<std::string, std::string> held_;  ///< Waiting jobs that are held, and why.
  std::map<std::string, Running> running_;
  std::map<std::string, OpenClaim> open_claims_;  ///< By job; those that have failed so far.
  std::shared_ptr<RestartWishes> restart_wishes_ = std::make_shared<RestartWishes>();  ///< Jobs that wait for a restart of the machine.
  std::vector<job::Story> unfinished_;           ///< From before the restart, until run() takes them up.
  std::map<std::string, job::Story> orphans_;    ///< Of a source that is no longer configured.
  Retention retention_;
  std::shared_ptr<pipeline::Locks> locks_;  ///< That hooks take.
  journal::Bulletin bulletin_;  ///< What is so for the moment: sizes of workspaces.
  DiskKeeper disk_;
  SpoolKeeper spool_;
  LogRoom log_room_;
  Wakeup schedule_wakeup_, retention_wakeup_, disk_wakeup_, stopped_wakeup_, finished_wakeup_, health_wakeup_;
  boost::asio::cancellation_signal stop_own_hook_;
  bool own_hook_runs_ = false, life_begun_ = false;
  std::shared_ptr<void> journal_watch_;
  bool journal_broken_ = false;  ///< The last write failed.
  bool claims_held_ = false;     ///< The disk was too full, or broken, when jobs were last to be started.
  std::set<std::string> troubled_logs_;  ///< Those that cannot be written.
  Timestamp started_at_{};
  bool working_ = false;  ///< The loops were started.
  bool stopping_ = false;
  std::string stop_reason_;
  std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace outpost::daemon
