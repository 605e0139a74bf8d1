#pragma once

#include "agent/base/wakeup.hpp"
#include "agent/base/workers.hpp"
#include "agent/config/settings.hpp"
#include "agent/control/agent_control.hpp"
#include "agent/daemon/alarms.hpp"
#include "agent/daemon/logger.hpp"
#include "agent/daemon/queue.hpp"
#include "agent/delivery/dispatcher.hpp"
#include "agent/journal/deliveries.hpp"
#include "agent/journal/journal.hpp"
#include "agent/pipeline/job_runner.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace outpost::daemon {

/// One configured control server: the source that offers its work, and the reporter that tells it the results.
struct Integration {
  config::Source settings;
  std::unique_ptr<pipeline::Source> source;
  std::unique_ptr<pipeline::Reporter> reporter;
  std::unique_ptr<delivery::Dispatcher> dispatcher;
  Timestamp last_poll{};  ///< The last poll that was answered.
  std::string last_error;
};

struct AgentPorts {
  journal::Journal& journal;
  pipeline::StepRunner& steps;
  pipeline::Collector& collector;
  Workers& workers;
  const Clock& clock;
  const Logger& logger;
  Alarms& alarms;
};

/// The daemon's heart: polls the sources, queues jobs for new components, gives slots and resources to those that may
/// run, and takes up after a restart what the journal says was unfinished.
class Agent final : public control::AgentControl {
 public:
  Agent(boost::asio::any_io_executor executor, AgentPorts ports, const config::Settings& settings,
        std::vector<std::unique_ptr<Integration>> integrations, pipeline::JobOptions job_options, std::string runner_name);

  /// Reads the journal: what was seen, what waits, what was running. Call it before run().
  Result<void> restore();

  /// Works until stop() was called and every job has ended, and what they gave rise to was delivered or `patience` is over.
  boost::asio::awaitable<void> run();

  /// Claims nothing more; running jobs are cancelled ("agent stopped"), their closing stages still run.
  void stop(std::string reason);

  // control::AgentControl
  boost::json::object status() override;
  Result<boost::json::array> jobs(std::size_t limit) override;
  Result<boost::json::object> job(const std::string& job_id) override;
  Result<void> cancel(const std::string& job_id, const std::string& reason) override;
  void poll_now() override;

 private:
  struct Definition {
    job::Definition value;
    const config::Job* settings = nullptr;
    std::set<std::string> seen;
    Timestamp last_new{};
  };

  boost::asio::awaitable<void> poll_loop(Integration& integration);
  boost::asio::awaitable<bool> poll_all(Integration& integration);
  boost::asio::awaitable<void> watch_jobs(Integration& integration);
  boost::asio::awaitable<void> take_in(Definition& definition, std::vector<pipeline::Candidates> candidates);
  boost::asio::awaitable<void> run_job(job::Story story);
  boost::asio::awaitable<void> schedule_loop();
  boost::asio::awaitable<void> append(std::vector<job::Event> events);
  Result<void> restore_seen();
  Result<void> restore_jobs();
  void start_jobs();
  void spawn(boost::asio::awaitable<void> work, std::string what);
  void report_poll(Integration& integration, const Result<void>& outcome);
  [[nodiscard]] bool may_claim(const job::Story& story) const;
  [[nodiscard]] std::chrono::milliseconds until_next_opening() const;
  [[nodiscard]] bool disk_has_room();
  [[nodiscard]] Integration* integration(const std::string& name);
  [[nodiscard]] Result<job::Story> load(const std::string& job_id);

  boost::asio::any_io_executor executor_;
  AgentPorts ports_;
  const config::Settings& settings_;
  std::vector<std::unique_ptr<Integration>> integrations_;
  pipeline::JobOptions job_options_;
  std::string runner_name_;
  std::vector<Definition> definitions_;
  Queue queue_;
  std::map<std::string, std::unique_ptr<pipeline::JobRunner>> running_;
  std::vector<std::pair<std::string, job::Story>> unfinished_;  ///< From before the restart, until run() takes them up.
  std::map<std::string, std::unique_ptr<Wakeup>> poll_wakeups_;
  Wakeup schedule_wakeup_;
  Wakeup stopped_wakeup_;
  Timestamp started_at_{};
  bool stopping_ = false;
  std::string stop_reason_;
  unsigned tasks_ = 0;
  std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace outpost::daemon
