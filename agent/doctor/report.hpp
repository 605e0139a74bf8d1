#pragma once

#include "agent/base/result.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::doctor {

/// skip: it could not be looked at, or there is nothing to look at; `measured` says which.
enum class Verdict { pass, warn, fail, skip };

[[nodiscard]] std::string_view to_string(Verdict verdict);

/// What one check has found.
struct Finding {
  Verdict verdict = Verdict::pass;
  std::string measured;  ///< What was seen, in a line: "3.1 GiB of 20 GiB free". Safe for a terminal.
  std::string problem;   ///< What that means for the agent; empty when it passed.
  std::string fix;       ///< Commands for a shell, one a line, that cure it or lead there; each can be pasted as it stands.
  std::string advice;    ///< What else there is to do, in words; empty when the commands say it all.
  /// Does what `fix` says, where that cannot do harm; what was done, in words.
  std::function<Result<std::string>()> repair = nullptr;
};

[[nodiscard]] Finding passed(std::string measured);
[[nodiscard]] Finding skipped(std::string why);

/// What to do about a finding.
struct Cure {
  std::string commands;  ///< Finding::fix
  std::string advice{};
};
[[nodiscard]] Finding warned(std::string measured, std::string problem, Cure cure);
[[nodiscard]] Finding failed(std::string measured, std::string problem, Cure cure);

/// A finding with the check that made it (checks.hpp).
struct Row {
  std::string_view id, group, name;
  Finding finding;
  std::string repaired;  ///< What was done about it; the finding is that of the second look.
};

struct Report {
  std::vector<Row> rows;  ///< In the order of their ids.

  /// fail over warn over pass.
  [[nodiscard]] Verdict worst() const;
  [[nodiscard]] std::size_t count(Verdict verdict) const;
};

/// The version of the form below; it changes when a member goes or means something else. 2: `fix` is commands only.
inline constexpr int report_version = 2;

/// {schema, version, verdict, checks[{id, group, name, verdict, measured, problem, fix, advice, fixable, repaired, page}]};
/// outpost-doctor(7) describes it.
[[nodiscard]] boost::json::object to_json(const Report& report);

/// For people: a line for each check, below it what is wrong and what to do.
[[nodiscard]] std::string to_text(const Report& report, bool colour);

}  // namespace outpost::doctor
