// The hooks of admit: before a JobRunner claims its job, an operator's hook can say no. Nothing of them is in the journal
// but a no, for until then there is no job that anybody would tell of them; after a restart they are asked again.

#include "agent/base/text.hpp"
#include "agent/job/event_types.hpp"
#include "agent/pipeline/job_runner.hpp"
#include "agent/pipeline/stoppable.hpp"

#include <algorithm>
#include <system_error>

namespace outpost::pipeline {

namespace asio = boost::asio;
namespace event = job::event;
using job::Stage;
using job::StepClass;
using job::StepEnding;

namespace {

constexpr std::size_t longest_reason = 300;
constexpr std::size_t kept_output = 4096;

/// The last thing that it printed: hooks say there why.
std::string last_line(std::string_view output) {
  const auto lines = split(trim(output), '\n');
  return std::string{trim(lines.back())};
}

}  // namespace

/// False when the job is not to be claimed: declined, or the agent stops.
asio::awaitable<bool> JobRunner::is_admitted() {
  const auto steps = ports_.steps.steps(record_.story(), plugins_, Stage::admit);
  // What is wrong with a plugin the stages of the job say, and whoever checks the configuration.
  if (!steps || std::all_of(steps->begin(), steps->end(), [](const Step& step) { return !step.skipped.empty(); })) co_return true;
  auto making = [directory = directory_, ready = options_.ready_directory, slot = options_.slot, &runner = ports_.steps]() -> Result<void> {
    if (auto made = directory.create(ready); !made) return made;
    return runner.prepare(directory, slot);
  };
  const auto made = co_await ports_.workers.run(std::move(making));
  if (!made) verdict_ = job::Judgement{.verdict = job::Verdict::error, .reason = "disk", .message = made.error().message};
  else co_await write_documents();
  if (verdict_) co_return true;  // With nobody asked, none of its stages runs, and the job ends with an error that says so.
  for (const auto& step : *steps) {
    if (!step.skipped.empty()) continue;
    const std::string reason = co_await ask(step);
    if (agent_stops_) co_return false;
    if (cancel_wanted_) co_return true;  // It is withdrawn as a cancelled one.
    if (reason.empty()) continue;
    record_.note(event::job_declined, {{"plugin", step.plugin}, {"hook", step.hook}, {"reason", reason}});
    record_.note(event::job_withdrawn, {{"reason", "declined by " + step.plugin + "/" + step.hook + ": " + reason}});
    co_await record_.commit();
    auto removal = [root = directory_.root] {
      std::error_code ignored;
      std::filesystem::remove_all(root, ignored);
      return true;
    };
    co_await ports_.workers.run(std::move(removal));
    co_return false;
  }
  co_return true;
}

/// Why a hook says no; "" when it does not. Who answers "later" is asked again for a while.
asio::awaitable<std::string> JobRunner::ask(const Step& step) {
  const auto give_up = ports_.clock.since_boot() + options_.retry_deadline;
  int number = 1;
  for (auto wait = options_.retry_interval;; wait *= 2, ++number) {
    Attempt attempt{.step = step, .id = step_id_of(step, 1), .number = number,
                    .timeout = step.rules.timeout.value_or(job::default_timeout(step.stage)), .started = ports_.clock.since_boot()};
    std::string output;
    process::TextOutput kept{[&output](std::string_view text) {
      output += text;
      if (output.size() > 2 * kept_output) output.erase(0, output.size() - kept_output);
    }};
    auto running = run_for_result(request_for(attempt), kept, false);
    const auto ran = co_await stoppable(std::move(running), stop_);
    if (cancel_wanted_ || !ran) co_return std::string{};
    const StepEnding& ending = ran->ending;
    const auto meaning = ending.kind == StepEnding::Kind::exited ? job::classify_exit(ending.code) : StepClass::fail;
    if (meaning == StepClass::ok || meaning == StepClass::skip) co_return std::string{};
    const bool later = meaning == StepClass::retry_later && ports_.clock.since_boot() + wait <= give_up;
    const std::string said = printable(last_line(redactor().redact(output)), longest_reason);
    if (!later) co_return said.empty() || ending.kind != StepEnding::Kind::exited ? describe(ending) + (said.empty() ? "" : ", after: " + said) : said;
    if (!co_await pause(wait)) co_return std::string{};
  }
}

}  // namespace outpost::pipeline
