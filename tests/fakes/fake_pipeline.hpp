#pragma once

#include "agent/pipeline/collector.hpp"
#include "agent/pipeline/source.hpp"
#include "agent/pipeline/step_runner.hpp"

#include "fakes/printing.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace outpost::test {

/// A control server that has jobs, told how to answer.
class FakeSource final : public pipeline::Source {
 public:
  std::deque<Error> claim_failures;      ///< One each, then the claim works.
  bool failed_claim_happened = false;    ///< The failed claim made the job all the same.
  std::deque<Error> find_failures;
  Result<void> fetched;
  std::vector<std::string> stalls;        ///< What its download waits for, one after the other.
  bool fetch_hangs = false;               ///< Until it is cancelled.
  std::function<void()> on_ask;           ///< Happens while claim() or find() waits for its answer.
  std::vector<pipeline::Candidates> offers;
  std::optional<Error> poll_failure;
  std::map<std::string, Error> poll_failures;  ///< By definition.
  bool worth_asking = false;                   ///< Again, after refused credentials.
  unsigned polls = 0;
  std::map<std::string, unsigned> polls_of;  ///< By definition.
  std::size_t deepest_poll = 0;
  pipeline::Watched watched;
  boost::json::object document{{"team_id", "t"}};  ///< What it says of its jobs.

  std::map<std::string, std::string> jobs;  ///< Claim id to external reference: what exists at the server.
  unsigned watches = 0;
  unsigned claims = 0, finds = 0, fetches = 0;

  [[nodiscard]] std::string_view name() const override { return "fake"; }
  Result<void> check(const job::Definition&) const override { return {}; }
  boost::asio::awaitable<Result<std::vector<pipeline::Candidates>>> poll(const job::Definition& definition, std::size_t depth) override {
    ++polls;
    ++polls_of[definition.name];
    deepest_poll = std::max(deepest_poll, depth);
    if (poll_failure) co_return *poll_failure;
    if (const auto own = poll_failures.find(definition.name); own != poll_failures.end()) co_return own->second;
    co_return offers;
  }
  boost::asio::awaitable<Result<pipeline::Claimed>> claim(const pipeline::ClaimRequest& request) override {
    ++claims;
    co_await asked();
    const bool fails = !claim_failures.empty();
    if (!fails || failed_claim_happened) jobs.emplace(request.claim_id, "remote-" + std::to_string(jobs.size() + 1));
    if (fails) {
      const Error failure = claim_failures.front();
      claim_failures.pop_front();
      co_return failure;
    }
    co_return claimed(request);
  }
  boost::asio::awaitable<Result<std::optional<pipeline::Claimed>>> find(const pipeline::ClaimRequest& request) override {
    ++finds;
    co_await asked();
    if (!find_failures.empty()) {
      const Error failure = find_failures.front();
      find_failures.pop_front();
      co_return failure;
    }
    if (!jobs.contains(request.claim_id)) co_return std::optional<pipeline::Claimed>{};
    co_return std::optional<pipeline::Claimed>{claimed(request)};
  }
  boost::asio::awaitable<bool> is_worth_asking() override { co_return worth_asking; }
  boost::asio::awaitable<Result<pipeline::Watched>> watch(const job::Claim&) override { 
    ++watches;
    co_return watched;
  }
  boost::asio::awaitable<Result<void>> fetch(const pipeline::FetchRequest& request, pipeline::Report report) override {
    ++fetches;
    report("fetching");
    std::vector<std::string> told;
    for (const auto& why : stalls) {
      pipeline::Stalled stalled = request.stalled;  // As a source does for each component.
      const bool is_new = std::find(told.begin(), told.end(), why) == told.end();
      stalled(why, is_new);
      told.push_back(why);
    }
    if (fetch_hangs) {
      boost::asio::steady_timer never{co_await boost::asio::this_coro::executor, boost::asio::steady_timer::time_point::max()};
      co_await never.async_wait(boost::asio::use_awaitable);
    }
    co_return fetched;
  }

 private:
  boost::asio::awaitable<void> asked() {
    const auto executor = co_await boost::asio::this_coro::executor;
    if (on_ask) boost::asio::post(executor, on_ask);
    co_await boost::asio::post(executor, boost::asio::use_awaitable);
  }
  [[nodiscard]] pipeline::Claimed claimed(const pipeline::ClaimRequest& request) const {
    return {{"fake", jobs.at(request.claim_id), ""}, "https://server/" + jobs.at(request.claim_id), document};
  }
};

/// Steps that do what a test tells them, and remember that they ran.
class FakeSteps final : public pipeline::StepRunner {
 public:
  std::map<job::Stage, std::vector<std::string>> plugins;      ///< Which plugins have a hook in a stage.
  std::map<std::string, std::deque<job::StepEnding>> endings;  ///< By "stage.plugin"; exit 0 when there is none left.
  std::string hangs;                                           ///< This one runs until it is cancelled.
  std::function<void()> on_hang;
  std::function<void(const std::string& id)> on_run;
  std::function<boost::asio::awaitable<void>()> on_grace;  ///< What a step whose time is up does until it ends.
  std::string throws;  ///< This one throws: a bug.
  std::vector<std::string> ran;
  std::vector<std::string> reasons;
  std::vector<unsigned> reboots;  ///< What each was told.
  std::map<std::string, std::string> reports;  ///< By "stage.plugin": what it prints.
  std::map<std::string, std::string> tasks;  ///< By "stage.plugin": its report of tasks.
  std::map<std::string, std::pair<std::chrono::milliseconds, std::chrono::milliseconds>> limits;  ///< Time and grace, by "stage.plugin".
  std::optional<Error> missing;
  Result<void> checked;
  std::optional<Error> taking_fails;
  std::map<std::string, pipeline::StepRules> rules;  ///< By "stage.plugin".
  std::map<std::string, std::string> skips;          ///< By "stage.plugin": why it is passed over.
  std::string missing_plugin;  ///< Not installed: whoever asks for it gets an error.

  Result<void> check(const job::Definition&) override { return checked; }
  Result<std::vector<job::TakenPlugin>> take(const job::Definition& definition, const pipeline::JobDirectory&) override {
    if (taking_fails) return *taking_fails;
    std::vector<job::TakenPlugin> taken;
    for (const auto& name : definition.plugins) taken.push_back({name, "1.0", "digest-of-" + name, "/plugins/" + name});
    return taken;
  }
  Result<std::vector<pipeline::Step>> steps(const job::Story& story, const std::vector<job::TakenPlugin>&, job::Stage stage) override {
    if (missing) return *missing;
    const auto& wanted = story.job.definition.plugins;
    const auto wants = [&](const std::string& plugin) { return std::find(wanted.begin(), wanted.end(), plugin) != wanted.end(); };
    if (!missing_plugin.empty() && wants(missing_plugin)) return Error{Fault::unavailable, "plugin \"" + missing_plugin + "\" is not installed"};
    std::vector<pipeline::Step> list;
    for (const auto& plugin : plugins[stage])
      if (wanted.empty() || wants(plugin)) list.push_back({stage, plugin, std::string{to_string(stage)}, "/hook", "/plugin", rules_of(stage, plugin), skips_of(stage, plugin)});
    return list;
  }

  [[nodiscard]] pipeline::StepRules rules_of(job::Stage stage, const std::string& plugin) const { return at(rules, stage, plugin); }
  [[nodiscard]] std::string skips_of(job::Stage stage, const std::string& plugin) const { return at(skips, stage, plugin); }
  template <class Value>
  [[nodiscard]] static Value at(const std::map<std::string, Value>& values, job::Stage stage, const std::string& plugin) {
    const auto found = values.find(std::string{to_string(stage)} + "." + plugin);
    return found == values.end() ? Value{} : found->second;
  }

  std::vector<unsigned> prepared;  ///< The slots of the jobs whose directories were made ready. Several workers may do that at once.
  unsigned opened_up = 0;
  process::Figures figures;  ///< Of every step.
  std::map<std::string, process::Left> left;  ///< By step id; gone when it is not there.
  /// What each says while it runs.
  std::function<boost::asio::awaitable<void>(const std::string& id, pipeline::StepCalls& calls)> says;
  std::vector<std::string> looked_for;
  std::vector<std::string> adopted;
  std::vector<std::chrono::milliseconds> adopted_for;  ///< The time that each had left.
  boost::asio::awaitable<process::Left> look_for(const job::Job&, std::string step_id, unsigned) override {
    looked_for.push_back(step_id);
    const auto found = left.find(step_id);
    co_return found == left.end() ? process::Left::gone : found->second;
  }
  boost::asio::awaitable<pipeline::StepOutcome> adopt(pipeline::StepRequest request, process::Output& output) override {
    adopted.push_back(request.step_id);
    adopted_for.push_back(request.timeout);
    const std::string text = "more of " + request.step_id + "\n";
    co_await print(output, text);
    if (request.timeout.count() == 0) co_return pipeline::StepOutcome{{job::StepEnding::Kind::timed_out, 0, {}}};
    co_return planned_end(std::string{to_string(request.step.stage)} + "." + request.step.plugin);
  }
  bool side_by_side = true;
  [[nodiscard]] bool overlaps() const override { return side_by_side; }
  Result<void> prepare(const pipeline::JobDirectory&, unsigned slot) override {
    const std::lock_guard one_at_a_time{preparing_};
    prepared.push_back(slot);
    return {};
  }
  boost::asio::awaitable<void> open_up(pipeline::JobDirectory, unsigned) override {
    ++opened_up;
    co_return;
  }

  boost::asio::awaitable<pipeline::StepOutcome> run(pipeline::StepRequest request, process::Output& output) override {
    const std::string id = std::string{to_string(request.step.stage)} + "." + request.step.plugin;
    ran.push_back(id);
    if (on_run) on_run(id);
    reasons.push_back(request.reason);
    reboots.push_back(request.reboots);
    limits[id] = {request.timeout, request.grace};
    const auto said = reports.find(id);
    const std::string text = said == reports.end() ? "output of " + id + "\n" : said->second;
    co_await print(output, text);
    if (const auto report = tasks.find(id); report != tasks.end()) {
      std::filesystem::create_directories(request.directory.temporary(request.step_id));
      std::ofstream{request.directory.tasks(request.step_id)} << report->second;
    }
    if (says && request.calls) co_await says(id, *request.calls);
    if (id == throws) throw std::runtime_error{"a bug of the step runner"};
    if (id == hangs) {
      boost::asio::steady_timer never{co_await boost::asio::this_coro::executor, boost::asio::steady_timer::time_point::max()};
      if (on_hang) boost::asio::post(co_await boost::asio::this_coro::executor, on_hang);
      co_await never.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
      request.stopping(false);
      co_return pipeline::StepOutcome{{job::StepEnding::Kind::cancelled, 0, {}}};
    }
    auto outcome = planned_end(id);
    if (outcome.ending.kind == job::StepEnding::Kind::timed_out) {
      request.stopping(true);
      if (on_grace) co_await on_grace();
    }
    co_return outcome;
  }

 private:
  std::mutex preparing_;

  pipeline::StepOutcome planned_end(const std::string& id) {
    auto& planned = endings[id];
    if (planned.empty()) return {{}, 0, figures};
    const job::StepEnding ending = planned.front();
    planned.pop_front();
    return {ending, 0, figures};
  }
};

/// Finds what a test says the steps have left.
class FakeCollector final : public pipeline::Collector {
 public:
  std::map<std::string, pipeline::Collected> left;  ///< By step id.
  Result<pipeline::FoundResult> examined = pipeline::FoundResult{};  ///< Of every file that is handed over.

  boost::asio::awaitable<Result<pipeline::Collected>> collect(pipeline::Step, std::string step_id, pipeline::JobDirectory, log::Redactor) override {
    const auto found = left.find(step_id);
    if (found == left.end()) co_return pipeline::Collected{};
    co_return found->second;
  }

  /// Notes what it was asked to compare with, and finds a regression in each result that was there before.
  boost::asio::awaitable<std::vector<pipeline::FoundResult>> compare(std::vector<pipeline::FoundResult> results, pipeline::JobDirectory,
                                                                     pipeline::PreviousResults previous) override {
    for (auto& result : results)
      if (previous.files.contains(result.name)) result.comparison = pipeline::ResultComparison{.job_id = previous.job_id, .regressions = 1, .regressed = {"s:c:t"}};
    compared.push_back(std::move(previous));
    co_return results;
  }

  boost::asio::awaitable<Result<pipeline::FoundResult>> examine(pipeline::Step, std::string name, job::Blob blob, pipeline::JobDirectory) override {
    if (!examined) co_return examined.error();
    pipeline::FoundResult result = *examined;
    result.name = std::move(name);
    result.blob = std::move(blob);
    co_return result;
  }

  /// The first part, and as many times its cases as there are parts.
  boost::asio::awaitable<Result<pipeline::FoundResult>> merge(pipeline::Step, std::string name, std::vector<job::Blob> parts, std::filesystem::path,
                                                              pipeline::JobDirectory, log::Redactor) override {
    if (!examined) co_return examined.error();
    pipeline::FoundResult result = *examined;
    result.name = std::move(name);
    result.blob = parts.front();
    result.total *= static_cast<std::int64_t>(parts.size());
    co_return result;
  }

  std::vector<pipeline::PreviousResults> compared;
};

}  // namespace outpost::test
