#pragma once

#include "agent/config/problem.hpp"

#include <string>
#include <vector>

namespace outpost::hooks {

enum class Severity { error, warning };

[[nodiscard]] constexpr std::string_view to_string(Severity severity) { return severity == Severity::error ? "error" : "warning"; }

/// What is wrong with a plugin, where, and what to do. The codes are stable; `all_codes()` explains them.
struct Diagnosis {
  std::string code;  ///< "PL005"
  Severity severity = Severity::error;
  config::Origin where;
  std::string message;  ///< Safe for a terminal.
  std::string fix;      ///< What to do, where the message does not say it already.

  /// `plugin.yml:5:3: PL005 unknown key "oder" (did you mean "order"?)`
  [[nodiscard]] std::string text() const;
};

using Diagnoses = std::vector<Diagnosis>;

[[nodiscard]] bool has_errors(const Diagnoses& diagnoses);

/// By file, line and column.
void sort_by_place(Diagnoses& diagnoses);

/// One line for each.
[[nodiscard]] std::string text_of(const Diagnoses& diagnoses);

/// What the reader of a file has found, with its codes.
[[nodiscard]] Diagnoses diagnoses_of(const config::Problems& problems);

struct Code {
  std::string_view code;
  std::string_view title;  ///< "unknown key"
};

/// Every code that there is, in order.
[[nodiscard]] const std::vector<Code>& all_codes();

}  // namespace outpost::hooks
