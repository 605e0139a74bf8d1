#pragma once

#include "agent/job/event.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace outpost::job {

/// A test case that a running step has reported.
struct ReportedCase {
  std::string outcome;  ///< "pass", "fail", "error", "skip" or "xfail".
  std::string message;
  std::chrono::milliseconds duration{};
  std::map<std::string, std::string> keys;
};

/// A line for people.
struct Annotation {
  std::string level;  ///< "note", "warn" or "error".
  std::string text;
  std::string file;   ///< What it is about: "FILE:LINE"; empty: nothing.
};

/// What a step has said of itself while it ran: the fold of its step.told events. `data` of these, by "verb":
///
///   result   {suite, name, outcome, message, duration_ms, keys{}}
///   note, warn, error  {text, file}
///   group    {action: start|end, title}
///   metric   {name, value, unit}
///   var      {name, value | secret: true | unset: true}
///   env      {set: {name: value, or null}}
///   timeout  {timeout_ms: the limit now, from the step's start}
///   retry    {after_ms, why}
///   lock, unlock  {name}
///   abort    {why}
///   reboot   {why}
///   redact   {}
struct Told {
  using CaseName = std::pair<std::string, std::string>;  ///< Suite and name.

  std::set<std::string> calls;  ///< The ids of those that are journaled; of a step that runs.
  std::map<CaseName, ReportedCase> cases;  ///< Of a step that runs; later in its results.
  std::map<std::string, unsigned> outcomes;  ///< How many cases have each.
  std::map<std::string, double> metrics;
  std::vector<Annotation> annotations;
  std::optional<std::chrono::milliseconds> retry_after;
  std::optional<std::string> reboot;  ///< It wants the machine to be restarted when it has ended, and why.
  /// Result files that it has handed over.
  struct {
    std::int64_t total = 0, bad = 0;
    std::string first_bad;
  } handed;

  /// Takes an event step.told into account.
  void apply(const Event& event);
  /// The same of what it has handed over, and nothing else.
  void apply_found(const Event& event);
  /// What only a step that runs needs.
  void forget_details();
  /// The text of its last error; empty when there is none.
  [[nodiscard]] std::string last_error() const;
};

}  // namespace outpost::job
