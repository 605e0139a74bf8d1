#include "agent/job/stage.hpp"

namespace outpost::job {

std::string_view to_string(Stage stage) {
  switch (stage) {
    case Stage::admit: return "admit";
    case Stage::acquire: return "acquire";
    case Stage::pre_run: return "pre-run";
    case Stage::install: return "install";
    case Stage::certify: return "certify";
    case Stage::test: return "test";
    case Stage::collect: return "collect";
    case Stage::success: return "success";
    case Stage::failure: return "failure";
    case Stage::release: return "release";
    case Stage::cleanup: return "cleanup";
    case Stage::on_timeout: return "on-timeout";
    case Stage::on_cancel: return "on-cancel";
    case Stage::agent_start: return "agent-start";
    case Stage::agent_stop: return "agent-stop";
    case Stage::health: return "health";
  }
  return "unknown";
}

std::optional<Stage> parse_stage(std::string_view name) {
  for (const Stage stage : all_points)
    if (to_string(stage) == name) return stage;
  return std::nullopt;
}

std::chrono::milliseconds default_timeout(Stage stage) {
  using namespace std::chrono_literals;
  switch (stage) {
    case Stage::admit: return 30s;
    case Stage::acquire: return 15min;
    case Stage::pre_run: return 1h;
    case Stage::install: return 4h;
    case Stage::certify: return 8h;
    case Stage::test: return 8h;
    case Stage::collect: return 30min;
    case Stage::success: return 10min;
    case Stage::failure: return 10min;
    case Stage::release: return 15min;
    case Stage::cleanup: return 10min;
    case Stage::on_timeout: return 1min;
    case Stage::on_cancel: return 1min;
    case Stage::agent_start: return 30s;
    case Stage::agent_stop: return 30s;
    case Stage::health: return 30s;
  }
  return 1h;
}

}  // namespace outpost::job
