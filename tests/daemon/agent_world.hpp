#pragma once

#include "agent/daemon/agent.hpp"
#include "agent/job/event_types.hpp"
#include "fakes/fake_journal.hpp"
#include "fakes/fake_pipeline.hpp"
#include "fakes/fake_reporter.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <stdexcept>

namespace outpost::test {

/// A clock that runs, and that a test can move forward.
struct MovedClock final : Clock {
  std::chrono::microseconds moved{0};
  [[nodiscard]] Timestamp now() const override { return SystemClock{}.now() + moved; }
  [[nodiscard]] std::chrono::nanoseconds since_boot() const override { return SystemClock{}.since_boot() + moved; }
};

/// An agent with one control server, its disk and its lab. It polls when it starts and when it is told to. Tests wait
/// for what they expect, never for time.
struct AgentWorld {
  AgentWorld() {
    for (const job::Stage stage : job::all_stages)
      if (!tells_outcome(stage)) steps.plugins[stage] = {"acme"};
    settings.state_directory = directory.path;
    settings.disk.reserve = 0;
    settings.sources["fake"] = {.name = "fake", .type = "fake", .poll = std::chrono::hours{24}};
    settings.jobs = {{.name = "nightly", .source = "fake", .topic = "T", .reporters = {"fake"}}};
    offer({"1"});
  }
  ~AgentWorld() { kill(); }

  /// Best (newest) first.
  void offer(std::initializer_list<const char*> ids) {
    source.offers = {{"ocp", {}}};
    for (const char* id : ids) source.offers[0].components.push_back({.id = id, .type = "ocp", .name = id});
  }

  void start() {
    kill();
    ended = false;
    alarms = std::make_unique<daemon::Alarms>(journal, clock, logger, loop->get_executor(), daemon::Alarms::Ways{});
    REQUIRE(alarms->restore());
    daemon::AgentPorts ports{journal, journal, borrowed_steps(), collector, *workers, clock, logger, *alarms};
    pipeline::JobOptions options;
    options.jobs_directory = directory.path / "jobs";
    options.claim_pause = std::chrono::milliseconds{1};
    options.boot_id = boot_id;
    options.checkpoint = checkpoint;
    agent = std::make_unique<daemon::Agent>(loop->get_executor(), ports, settings, integrations(), std::move(options), agent_options);
    REQUIRE(agent->restore());
    boost::asio::co_spawn(*loop, agent->run(), [this](std::exception_ptr error) {
      ended = true;
      thrown = error;
    });
  }

  /// As kill -9 does; in the order in which the daemon takes itself apart.
  void kill() {
    agent.reset();
    workers = std::make_unique<Workers>();
    alarms.reset();
    loop = std::make_unique<boost::asio::io_context>();
  }

  /// Goes on until the condition holds. The limit is for hangs only.
  void until(const std::function<bool()>& holds) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes{2};
    while (!holds()) {
      if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error{"what was waited for did not happen"};
      loop->restart();
      loop->run_one_for(std::chrono::milliseconds{100});
      if (thrown) std::rethrow_exception(std::exchange(thrown, nullptr));
    }
  }
  void until_ended() {
    until([this] { return ended; });
  }
  /// Everything that can happen without waiting happens.
  void settle() {
    loop->restart();
    while (loop->poll() > 0) {
    }
  }
  /// As a signal and the local API do: on the loop, where alone cancelling is safe.
  template <class Call>
  auto on_loop(Call call) {
    std::optional<decltype(call())> answer;
    boost::asio::post(*loop, [&] { answer.emplace(call()); });
    until([&] { return answer.has_value(); });
    return std::move(*answer);
  }
  Result<void> cancel(const std::string& job_id, const std::string& reason) {
    return on_loop([&] { return agent->cancel(job_id, reason); });
  }
  void stop() {
    on_loop([&] {
      agent->stop("SIGTERM");
      return true;
    });
  }
  /// One more poll, and what follows from it at once.
  void poll() {
    const unsigned before = source.polls;
    agent->poll_now();
    until([&] { return source.polls > before; });
    settle();
  }

  [[nodiscard]] std::vector<job::Event> events(std::string_view type) {
    return *journal.read({.types = {std::string{type}}, .limit = 100'000});
  }
  [[nodiscard]] std::size_t count(std::string_view type) { return events(type).size(); }
  [[nodiscard]] std::vector<std::string> job_ids() {
    std::vector<std::string> ids;
    for (const auto& queued : events(job::event::job_queued)) ids.push_back(queued.job_id);
    return ids;
  }
  [[nodiscard]] job::Story story(std::size_t number) { return job::replay(*journal.read({.job_id = job_ids().at(number), .limit = 100'000})); }
  /// "waiting", "running: install"... of the n-th job.
  [[nodiscard]] std::string state(std::size_t number) { return story(number).describe(); }
  [[nodiscard]] bool alarmed(const std::string& key) { return alarms->active().contains(key); }
  void append(job::Event event) {
    std::vector<job::Event> drafts{std::move(event)};
    boost::asio::co_spawn(*loop, journal.append(std::move(drafts)), [](std::exception_ptr, const Result<std::vector<job::Event>>&) {});
    settle();
  }

  TemporaryDirectory directory;
  FakeJournal journal;
  FakeSource source;
  FakeServer server;
  FakeTiming::State time;
  FakeSteps steps;
  FakeCollector collector;
  MovedClock clock;
  std::string boot_id;
  daemon::Logger logger;
  config::Settings settings;
  daemon::AgentOptions agent_options{.runner_name = "fake", .delivery_patience = std::chrono::milliseconds{0}};
  std::function<void(std::string_view)> checkpoint = [](std::string_view) {};
  std::unique_ptr<boost::asio::io_context> loop = std::make_unique<boost::asio::io_context>();
  std::unique_ptr<Workers> workers = std::make_unique<Workers>();
  std::unique_ptr<daemon::Alarms> alarms;
  std::unique_ptr<daemon::Agent> agent;
  bool ended = false;
  std::exception_ptr thrown;

  /// As the composition makes one; all are of the one server.
  std::shared_ptr<daemon::Integration> integration(const config::Source& configured) {
    auto made = std::make_shared<daemon::Integration>();
    made->settings = configured;
    // The same control server for one agent after the other.
    const auto find = [this](const std::string&) { return std::shared_ptr<pipeline::Source>{std::shared_ptr<void>{}, &source}; };
    made->source = std::make_unique<daemon::SourceByName>("fake", find);
    made->reporter = std::make_unique<FakeReporter>(server);
    made->dispatcher = std::make_unique<delivery::Dispatcher>(configured.name, journal, journal, *made->reporter, clock, loop->get_executor(),
                                                              std::make_unique<FakeTiming>(time), delivery::Options{}, [](const delivery::Alarm&) {});
    return made;
  }
  /// Steps that outlive whoever uses them.
  std::shared_ptr<pipeline::StepRunner> borrowed_steps() { return {std::shared_ptr<void>{}, &steps}; }

 private:
  std::vector<std::shared_ptr<daemon::Integration>> integrations() {
    std::vector<std::shared_ptr<daemon::Integration>> list;
    for (const auto& [name, configured] : settings.sources) list.push_back(integration(configured));
    return list;
  }
};

/// The first job runs and hangs, so that the following ones wait.
struct BusyWorld : AgentWorld {
  BusyWorld() {
    steps.hangs = "install.acme";
    start();
    until([this] { return !steps.ran.empty() && steps.ran.back() == "install.acme"; });
  }
  /// A newer component appears while the lab is busy.
  void appear(std::initializer_list<const char*> ids) {
    offer(ids);
    poll();
  }
};

}  // namespace outpost::test
