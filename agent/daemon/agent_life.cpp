// Hooks of agent-start, agent-stop and health: what plugins do for the agent, and not for one of its jobs.

#include "agent/base/text.hpp"
#include "agent/daemon/agent.hpp"
#include "agent/pipeline/stoppable.hpp"

#include <algorithm>
#include <exception>

namespace outpost::daemon {

namespace asio = boost::asio;
using job::Stage;
using job::StepClass;
using job::StepEnding;

namespace {

constexpr std::string_view own_job = "agent";  ///< What stands for the job in their directory.
constexpr std::size_t kept_output = 4096, longest_reason = 300;
constexpr std::string_view health_key = "health:", start_key = "agent-start:";

asio::awaitable<Result<pipeline::StepOutcome>> as_result(asio::awaitable<pipeline::StepOutcome> running) { co_return co_await std::move(running); }

/// How it failed, with the last thing that it printed; "" when it went well.
std::string complaint(const StepEnding& ending, std::string_view output) {
  const auto meaning = ending.kind == StepEnding::Kind::exited ? job::classify_exit(ending.code) : StepClass::fail;
  if (meaning == StepClass::ok || meaning == StepClass::skip) return {};
  const auto lines = split(trim(output), '\n');
  const std::string said = printable(trim(lines.back()), longest_reason);
  return describe(ending) + (said.empty() ? "" : ": " + said);
}

}  // namespace

/// Of all plugins that the configuration names. One that is not installed is its jobs' trouble.
std::vector<pipeline::Step> Agent::own_hooks(Stage point) {
  job::Story story;
  story.job.id = own_job;
  auto& plugins = story.job.definition.plugins;
  const auto has = [&](const std::vector<std::string>& of) {
    story.job.definition.plugins = of;
    return ports_.steps->steps(story, {}, point).has_value();
  };
  std::vector<std::string> usable;
  for (const auto& definition : definitions_)
    for (const auto& plugin : definition->value.plugins)
      if (std::find(usable.begin(), usable.end(), plugin) == usable.end() && has({plugin})) usable.push_back(plugin);
  plugins = usable;
  if (usable.empty()) return {};
  auto steps = ports_.steps->steps(story, {}, point);
  if (!steps) return {};
  std::erase_if(*steps, [](const auto& step) { return !step.skipped.empty(); });
  return std::move(*steps);
}

/// Runs them one after the other; plugin to what is wrong.
asio::awaitable<std::map<std::string, std::string>> Agent::run_own_hooks(Stage point) {
  std::map<std::string, std::string> wrong;
  const auto steps = own_hooks(point);
  if (steps.empty()) co_return wrong;
  own_hook_runs_ = true;
  std::exception_ptr thrown;
  try {
    for (const auto& step : steps) {
      if (stopping_ && point != Stage::agent_stop) break;
      pipeline::Step copy = step;
      const std::string why = co_await run_own_hook(std::move(copy));
      if (!why.empty()) wrong.emplace(step.plugin, step.hook + " " + why);
    }
  } catch (...) {
    thrown = std::current_exception();
  }
  own_hook_runs_ = false;
  stopped_wakeup_.notify();
  if (thrown) std::rethrow_exception(thrown);
  co_return wrong;
}

asio::awaitable<std::string> Agent::run_own_hook(pipeline::Step step) {
  job::Story story;
  story.job.id = own_job;
  const pipeline::JobDirectory directory{job_options_.jobs_directory / own_job};
  auto making = [directory, steps = ports_.steps]() -> Result<void> {
    if (auto made = directory.create(); !made) return made;
    return steps->prepare(directory, config::agent_slot);
  };
  const auto made = co_await ports_.workers.run(std::move(making));
  if (!made) co_return "cannot run: " + made.error().message;
  if (stopping_ && step.stage != Stage::agent_stop) co_return std::string{};
  const auto steps = ports_.steps;  // Of the configuration that it began with.
  std::string output;
  process::TextOutput kept{[&output](std::string_view text) {
    output += text;
    if (output.size() > 2 * kept_output) output.erase(0, output.size() - kept_output);
  }};
  const std::string name = step.hook.substr(step.hook.rfind('/') + 1);
  pipeline::StepRequest request{.step = step,
                                .step_id = std::string{to_string(step.stage)} + "." + step.plugin + (name == to_string(step.stage) ? "" : "." + name),
                                .attempt = 1,
                                .reason = step.stage == Stage::agent_stop ? "agent-stop" : "normal",
                                .story = story,
                                .directory = directory,
                                .component_paths = {},
                                .timeout = step.rules.timeout.value_or(job::default_timeout(step.stage)),
                                .grace = std::chrono::seconds{5},
                                .slot = config::agent_slot};
  auto running = as_result(steps->run(std::move(request), kept));
  const auto ran = co_await pipeline::stoppable(std::move(running), stop_own_hook_);
  if (!ran || ran->ending.kind == StepEnding::Kind::cancelled) co_return std::string{};
  co_return complaint(ran->ending, output);
}

/// What has to be healthy is looked at before the first job is claimed.
void Agent::hold_until_healthy() {
  if (own_hooks(Stage::health).empty() && own_hooks(Stage::agent_start).empty()) return;
  gate_.sicken({{"the agent", "its hooks of agent-start and health are run first"}});
}

asio::awaitable<void> Agent::health_loop() {
  if (!life_begun_) co_await begin_life();
  while (!stopping_) {
    co_await check_health();
    if (!stopping_) co_await health_wakeup_.wait(settings_.health_interval);
  }
}

asio::awaitable<void> Agent::begin_life() {
  life_begun_ = true;
  const auto wrong = co_await run_own_hooks(Stage::agent_start);
  for (const auto& [key, alarm] : std::map{ports_.alarms.active()})
    if (key.starts_with(start_key) && !wrong.contains(key.substr(start_key.size()))) ports_.alarms.clear(key);
  for (const auto& [plugin, why] : wrong) ports_.alarms.raise(std::string{start_key} + plugin, "hook", plugin + "/" + why);
}

/// After the last job. What still runs has been told to end.
asio::awaitable<void> Agent::end_life() {
  while (own_hook_runs_) co_await stopped_wakeup_.wait();
  const auto wrong = co_await run_own_hooks(Stage::agent_stop);
  for (const auto& [plugin, why] : wrong) ports_.logger.warning(plugin + "/" + why);
}

asio::awaitable<void> Agent::check_health() {
  auto wrong = co_await run_own_hooks(Stage::health);
  if (stopping_) co_return;
  for (const auto& [key, alarm] : std::map{ports_.alarms.active()})
    if (key.starts_with(health_key) && !wrong.contains(key.substr(health_key.size()))) ports_.alarms.clear(key);
  for (const auto& [plugin, why] : wrong)
    ports_.alarms.raise(std::string{health_key} + plugin, "health", "nothing is claimed until it passes: " + plugin + "/" + why);
  const bool opens = wrong.empty() && !gate_.failing().empty();
  gate_.sicken(std::move(wrong));
  if (opens) schedule_wakeup_.notify();
}

}  // namespace outpost::daemon
