#include "plugins/junit/junit_comparison.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>

namespace outpost::junit {
namespace {

namespace fs = std::filesystem;
using pipeline::ResultComparison;

constexpr std::size_t names_shown = 20;

using Outcomes = std::unordered_map<std::uint64_t, Outcome>;

struct Read {
  JunitSummary summary;
  Outcomes outcomes;
};

Result<Read> read_outcomes(const fs::path& file, const JunitLimits& limits, std::size_t most_cases) {
  Read read;
  auto summary = read_junit(file, limits, [&](const TestCase& test) {
    if (read.outcomes.size() <= most_cases) read.outcomes[test.key] = test.outcome;
  });
  if (!summary) return summary.error();
  if (read.outcomes.size() > most_cases)
    return Error{Fault::refused, file.native() + ": more than " + std::to_string(most_cases) + " cases, not compared"};
  read.summary = std::move(*summary);
  return read;
}

enum class Change { none, regression, fix, added, removed, other };

Change change_between(Outcome before, Outcome now) {
  if (before == now) return Change::none;
  if (before == Outcome::success && now == Outcome::failure) return Change::regression;
  if (before == Outcome::failure && now == Outcome::success) return Change::fix;
  return Change::other;
}

std::string_view word(Outcome outcome) {
  constexpr std::string_view words[] = {"success", "skipped", "error", "failure"};
  return words[static_cast<std::size_t>(outcome)];
}

class Comparison {
 public:
  Comparison(const Outcomes& now, const Outcomes& before) : now_{now}, before_{before} {}

  void count() {
    for (const auto& [key, outcome] : now_) {
      const auto was = before_.find(key);
      note(was == before_.end() ? Change::added : change_between(was->second, outcome));
    }
    for (const auto& [key, outcome] : before_)
      if (!now_.contains(key)) ++result.removed;
  }

  /// A case of the new file, in its order: says its name, if it has changed.
  void name_new(const TestCase& test) {
    const auto was = before_.find(test.key);
    if (was == before_.end()) return name(result.added_names, test);
    const Outcome now = now_.at(test.key);
    switch (change_between(was->second, now)) {
      case Change::regression: return name(result.regressed, test);
      case Change::fix: return name(result.fixed, test);
      case Change::other: return name(result.changed_names, test, " (" + std::string{word(was->second)} + ", now " + std::string{word(now)} + ")");
      default: return;
    }
  }

  void name_old(const TestCase& test) {
    if (!now_.contains(test.key)) name(result.removed_names, test);
  }

  [[nodiscard]] bool has_changes() const { return result.regressions + result.fixes + result.added + result.removed + result.changed > 0; }

  ResultComparison result;

 private:
  void note(Change change) {
    if (change == Change::regression) ++result.regressions;
    if (change == Change::fix) ++result.fixes;
    if (change == Change::added) ++result.added;
    if (change == Change::other) ++result.changed;
  }

  void name(std::vector<std::string>& names, const TestCase& test, const std::string& how = {}) {
    if (names.size() < names_shown && named_.insert(test.key).second) names.push_back(test.full_name() + how);
  }

  const Outcomes& now_;
  const Outcomes& before_;
  std::set<std::uint64_t> named_;
};

}  // namespace

Result<ResultComparison> compare_junit(const fs::path& now, const fs::path& before, const JunitLimits& limits, std::size_t most_cases) {
  auto old_cases = read_outcomes(before, limits, most_cases);
  if (!old_cases) return old_cases.error();
  auto new_cases = read_outcomes(now, limits, most_cases);
  if (!new_cases) return new_cases.error();
  Comparison comparison{new_cases->outcomes, old_cases->outcomes};
  comparison.count();
  comparison.result.time_ms_before = old_cases->summary.time_ms;
  if (!comparison.has_changes()) return std::move(comparison.result);
  // Names are read a second time rather than kept of all cases, of which nearly none have changed.
  if (auto named = read_junit(now, limits, [&](const TestCase& test) { comparison.name_new(test); }); !named) return named.error();
  if (comparison.result.removed > 0)
    if (auto named = read_junit(before, limits, [&](const TestCase& test) { comparison.name_old(test); }); !named) return named.error();
  return std::move(comparison.result);
}

}  // namespace outpost::junit
