#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string_view>

namespace outpost::job {

/// The stages of a job, in the order in which they run.
enum class Stage { acquire, pre_run, install, certify, test, collect, release, cleanup };

inline constexpr std::array all_stages{Stage::acquire, Stage::pre_run, Stage::install, Stage::certify,
                                       Stage::test,    Stage::collect, Stage::release, Stage::cleanup};

/// "pre-run": the name in plugin folders, events and OUTPOST_POINT.
[[nodiscard]] std::string_view to_string(Stage stage);
[[nodiscard]] std::optional<Stage> parse_stage(std::string_view name);

/// collect, release and cleanup run whatever happened before them, and never change a verdict.
[[nodiscard]] constexpr bool always_runs(Stage stage) { return stage >= Stage::collect; }

/// Whether a failing product, rather than the lab, is what a failure in this stage means.
[[nodiscard]] constexpr bool judges_product(Stage stage) {
  return stage == Stage::install || stage == Stage::certify || stage == Stage::test;
}

/// How long one step of the stage may take when nothing else is configured.
[[nodiscard]] std::chrono::milliseconds default_timeout(Stage stage);

}  // namespace outpost::job
