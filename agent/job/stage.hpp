#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string_view>

namespace outpost::job {

/// The points at which hooks run: the stages of a job in their order, and those that are none.
enum class Stage {
  admit,                  ///< Before a job is claimed.
  acquire, pre_run, install, certify, test, collect,
  success, failure,       ///< One of them, by the verdict.
  release, cleanup,
  on_timeout, on_cancel,  ///< While a step that is being stopped has its grace.
  agent_start, agent_stop, health,  ///< Of the agent, not of a job.
};

/// The stages of a job.
inline constexpr std::array all_stages{Stage::acquire, Stage::pre_run, Stage::install, Stage::certify, Stage::test,
                                       Stage::collect, Stage::success, Stage::failure, Stage::release, Stage::cleanup};
/// Everything that a plugin can have hooks for.
inline constexpr std::array all_points{Stage::admit,   Stage::acquire, Stage::pre_run,    Stage::install,
                                       Stage::certify, Stage::test,    Stage::collect,    Stage::success,
                                       Stage::failure, Stage::release, Stage::cleanup,    Stage::on_timeout,
                                       Stage::on_cancel, Stage::agent_start, Stage::agent_stop, Stage::health};

/// "pre-run": the name in plugin folders, events and OUTPOST_POINT.
[[nodiscard]] std::string_view to_string(Stage stage);
[[nodiscard]] std::optional<Stage> parse_stage(std::string_view name);
/// The stage that other agents and pipelines call so: release for "teardown" and "tear_down". For advice only.
[[nodiscard]] std::optional<Stage> stage_meant_by(std::string_view word);

/// collect and what follows it run whatever happened before them, and never change a verdict.
[[nodiscard]] constexpr bool always_runs(Stage stage) { return stage >= Stage::collect; }

/// What earlier stages have set up: collect, release and cleanup run in the reverse order.
[[nodiscard]] constexpr bool takes_down(Stage stage) {
  return stage == Stage::collect || stage == Stage::release || stage == Stage::cleanup;
}

/// success and failure: only when there is somebody to be told.
[[nodiscard]] constexpr bool tells_outcome(Stage stage) { return stage == Stage::success || stage == Stage::failure; }

/// on-timeout and on-cancel: beside a step, not after it.
[[nodiscard]] constexpr bool is_farewell(Stage stage) { return stage == Stage::on_timeout || stage == Stage::on_cancel; }

/// agent-start, agent-stop and health: there is no job.
[[nodiscard]] constexpr bool is_of_agent(Stage stage) { return stage >= Stage::agent_start; }

/// Whether what a hook leaves is kept: not before there is a job, nor without one.
[[nodiscard]] constexpr bool is_collected(Stage stage) { return stage != Stage::admit && !is_of_agent(stage); }

/// Whether a failing product, rather than the lab, is what a failure in this stage means.
[[nodiscard]] constexpr bool judges_product(Stage stage) {
  return stage == Stage::install || stage == Stage::certify || stage == Stage::test;
}

/// How long one step of the stage may take when nothing else is configured.
[[nodiscard]] std::chrono::milliseconds default_timeout(Stage stage);

}  // namespace outpost::job
