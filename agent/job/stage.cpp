#include "agent/job/stage.hpp"

#include "agent/base/text.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

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

std::optional<Stage> stage_meant_by(std::string_view word) {
  using Words = std::vector<std::string_view>;
  // Of DCI's agents, and of the pipelines that partners come from: GitLab, GitHub, Jenkins, Tekton, tmt, Zuul, Molecule.
  static const std::vector<std::pair<Stage, Words>> meanings{
      {Stage::admit, {"approve", "approval", "gate", "veto", "precheck", "pre-check", "check", "allow", "claim"}},
      {Stage::acquire, {"allocate", "reserve", "provision", "power-on", "lease", "lock", "borrow", "checkout"}},
      {Stage::pre_run, {"pre", "before", "before-all", "before-script", "prepare", "setup", "set-up", "configure", "configuration", "pre-install", "pre-test",
                        "pre-tests", "download", "discover", "init", "start"}},
      {Stage::install, {"deploy", "deployment", "build", "custom-install", "upgrade", "update", "installation", "converge", "create", "package"}},
      {Stage::certify, {"certification", "cert", "rhcert", "compliance", "audit"}},
      {Stage::test, {"tests", "testing", "user-tests", "run", "execute", "verify", "verification", "validate", "script", "main", "run-tests", "post-install"}},
      {Stage::collect, {"post-run", "post", "post-test", "post-tests", "after", "after-script", "logs", "log", "get-logs", "gather", "must-gather", "sosreport",
                        "report", "artifacts", "upload", "always", "diagnose"}},
      {Stage::success, {"on-success", "succeeded", "passed", "pass", "ok"}},
      {Stage::failure, {"on-failure", "on-fail", "fail", "failed", "error", "on-error", "rescue", "after-failure"}},
      {Stage::release, {"teardown", "tear-down", "undeploy", "uninstall", "destroy", "deprovision", "power-off", "unlock", "free", "return", "remove", "after-all"}},
      {Stage::cleanup, {"clean", "clean-up", "finally", "finish", "purge", "side-effect"}},
      {Stage::on_timeout, {"timeout", "timed-out", "time-out"}},
      {Stage::on_cancel, {"cancel", "cancelled", "canceled", "on-cancelled", "abort", "aborted", "on-abort", "kill", "interrupt"}},
      {Stage::agent_start, {"startup", "on-start", "boot", "daemon-start"}},
      {Stage::agent_stop, {"shutdown", "stop", "on-stop", "daemon-stop"}},
      {Stage::health, {"healthcheck", "health-check", "healthy", "liveness", "alive", "monitor", "watchdog", "status"}},
  };
  std::string plain = to_lower(word);
  std::replace(plain.begin(), plain.end(), '_', '-');
  for (const auto& [stage, words] : meanings)
    if (plain == to_string(stage) || std::find(words.begin(), words.end(), plain) != words.end()) return stage;
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
