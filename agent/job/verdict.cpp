#include "agent/job/verdict.hpp"

#include "agent/job/event.hpp"

#include <array>
#include <csignal>
#include <cstring>

namespace outpost::job {
namespace {

constexpr std::array verdict_names{std::pair{Verdict::success, "success"}, std::pair{Verdict::failure, "failure"},
                                   std::pair{Verdict::error, "error"}, std::pair{Verdict::killed, "killed"}};

using Kind = StepEnding::Kind;
constexpr std::array ending_names{std::pair{Kind::exited, "exited"},       std::pair{Kind::signalled, "signalled"},
                                  std::pair{Kind::timed_out, "timed-out"}, std::pair{Kind::cancelled, "cancelled"},
                                  std::pair{Kind::out_of_memory, "out-of-memory"}, std::pair{Kind::over_limit, "over-limit"}, std::pair{Kind::stopped, "stopped"},
                                  std::pair{Kind::lost, "lost"},           std::pair{Kind::not_started, "not-started"}};

struct Cause { Verdict verdict; const char* reason; const char* advice; };

/// What a status means once the stage has been looked at (the table of verdicts; a lab stage never blames the product).
Cause cause_of_exit(StepClass step_class, bool product) {
  switch (step_class) {
    case StepClass::usage: return {Verdict::error, "hook-usage", "its configuration is wrong"};
    case StepClass::unavailable: return {Verdict::error, "unavailable", "something that it needs is down"};
    case StepClass::plugin_bug: return {Verdict::error, "hook-bug", "the hook says it is its own bug"};
    case StepClass::retry_later: return {Verdict::error, "retry-later", "it asked to be run again later and its time is up"};
    case StepClass::infrastructure: return {Verdict::error, "infrastructure", "the lab is at fault, not the product"};
    case StepClass::configuration: return {Verdict::error, "configuration", "configuration of this site is missing"};
    case StepClass::not_runnable:
      return {Verdict::error, "hook-not-runnable", "the hook or its interpreter cannot be run (execute bit, #! line, CRLF, noexec mount?)"};
    default: return {product ? Verdict::failure : Verdict::error, "step-failed", ""};
  }
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  for (const auto& [value, name] : verdict_names)
    if (value == verdict) return name;
  return "error";
}

std::optional<Verdict> parse_verdict(std::string_view text) {
  for (const auto& [value, name] : verdict_names)
    if (name == text) return value;
  return std::nullopt;
}

std::string_view to_string(StepEnding::Kind kind) {
  for (const auto& [value, name] : ending_names)
    if (value == kind) return name;
  return "lost";
}

std::optional<StepEnding::Kind> parse_ending(std::string_view text) {
  for (const auto& [value, name] : ending_names)
    if (name == text) return value;
  return std::nullopt;
}

StepClass classify_exit(int status) {
  switch (status) {
    case 0: return StepClass::ok;
    case 64: return StepClass::usage;
    case 65: return StepClass::skip;
    case 69: return StepClass::unavailable;
    case 70: return StepClass::plugin_bug;
    case 75: return StepClass::retry_later;
    case 77: return StepClass::infrastructure;
    case 78: return StepClass::configuration;
    case 126:
    case 127: return StepClass::not_runnable;
    default: return StepClass::fail;
  }
}

std::string_view to_string(StepClass step_class) {
  switch (step_class) {
    case StepClass::ok: return "ok";
    case StepClass::fail: return "fail";
    case StepClass::usage: return "usage";
    case StepClass::skip: return "skip";
    case StepClass::unavailable: return "unavailable";
    case StepClass::plugin_bug: return "bug";
    case StepClass::retry_later: return "retry-later";
    case StepClass::infrastructure: return "infrastructure";
    case StepClass::configuration: return "configuration";
    case StepClass::not_runnable: return "not-runnable";
  }
  return "fail";
}

std::string describe(const StepEnding& ending) {
  const std::string detail = ending.detail.empty() ? "" : " (" + ending.detail + ")";
  switch (ending.kind) {
    case Kind::exited: return "exited with status " + std::to_string(ending.code) + detail;
    case Kind::signalled: {
      const char* name = ::sigabbrev_np(ending.code);
      return "was killed by " + (name ? "SIG" + std::string{name} : "signal " + std::to_string(ending.code)) + detail;
    }
    case Kind::timed_out: return "was stopped because its time was up" + detail;
    case Kind::cancelled: return "was stopped because the job was cancelled" + detail;
    case Kind::out_of_memory: return "ran out of memory" + detail;
    case Kind::over_limit: return "was stopped because it filled the disk" + detail;
    case Kind::stopped: return "was stopped from outside" + detail;
    case Kind::lost: return "was lost" + detail;
    case Kind::not_started: return "could not be started" + detail;
  }
  return "ended";
}

std::optional<Judgement> judge(Stage stage, std::string_view plugin, std::string_view hook, const StepEnding& ending) {
  const bool product = judges_product(stage);
  Judgement judgement;
  judgement.stage = stage;
  judgement.plugin = plugin;
  std::string advice;
  switch (ending.kind) {
    case Kind::exited: {
      const StepClass step_class = classify_exit(ending.code);
      if (step_class == StepClass::ok || step_class == StepClass::skip) return std::nullopt;
      const Cause cause = cause_of_exit(step_class, product);
      judgement.verdict = cause.verdict;
      judgement.reason = cause.reason;
      judgement.exit_status = ending.code;
      advice = cause.advice;
      break;
    }
    case Kind::signalled:
      // A SIGKILL that was not ours came from outside the hook: the operator or the kernel, never the product.
      judgement.verdict = !product || ending.code == SIGKILL ? Verdict::error : Verdict::failure;
      judgement.reason = ending.code == SIGKILL ? "stopped-from-outside" : "step-failed";
      break;
    case Kind::timed_out:
      judgement.verdict = product ? Verdict::failure : Verdict::error;
      judgement.reason = "timeout";
      break;
    case Kind::cancelled:
      judgement.verdict = Verdict::killed;
      judgement.reason = "cancelled";
      break;
    case Kind::out_of_memory:
      judgement.verdict = Verdict::error;
      judgement.reason = "oom";
      break;
    case Kind::over_limit:
      judgement.verdict = Verdict::error;
      judgement.reason = "disk-limit";
      break;
    case Kind::stopped:
      judgement.verdict = Verdict::error;
      judgement.reason = "stopped-from-outside";
      break;
    case Kind::lost:
      judgement.verdict = Verdict::error;
      judgement.reason = "step-lost";
      break;
    case Kind::not_started:
      judgement.verdict = Verdict::error;
      judgement.reason = "hook-not-runnable";
      break;
  }
  judgement.message = std::string{to_string(stage)} + ": " + std::string{plugin} + "/" + std::string{hook} + " " + describe(ending);
  if (!advice.empty()) judgement.message += ": " + advice;
  return judgement;
}

boost::json::object to_json(const Judgement& judgement) {
  boost::json::object json{{"verdict", to_string(judgement.verdict)}, {"reason", judgement.reason}, {"message", judgement.message}};
  if (judgement.stage) json["stage"] = to_string(*judgement.stage);
  if (!judgement.plugin.empty()) json["plugin"] = judgement.plugin;
  if (judgement.exit_status) json["exit_status"] = *judgement.exit_status;
  return json;
}

Judgement judgement_from_json(const boost::json::object& json) {
  Judgement judgement;
  judgement.verdict = parse_verdict(text_at(json, "verdict")).value_or(Verdict::error);
  judgement.reason = text_at(json, "reason");
  judgement.message = text_at(json, "message");
  judgement.stage = parse_stage(text_at(json, "stage"));
  judgement.plugin = text_at(json, "plugin");
  if (json.contains("exit_status")) judgement.exit_status = static_cast<int>(number_at(json, "exit_status"));
  return judgement;
}

}  // namespace outpost::job
