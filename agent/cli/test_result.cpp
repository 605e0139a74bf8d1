#include "agent/cli/test_result.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/job/event.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::cli {
namespace {

namespace json = boost::json;
using job::number_at;
using job::text_at;
using job::texts_at;

constexpr std::string_view indent = "            ";

std::string counted(std::int64_t number, std::string_view what, bool plural = true) {
  return std::to_string(number) + " " + std::string{what} + (plural && number != 1 ? "s" : "");
}

/// Names of cases, and how many more there are.
void print_names(std::ostream& out, std::string_view heading, const std::vector<std::string>& names, std::int64_t all) {
  for (const auto& name : names) out << indent << heading << " " << printable(name) << "\n";
  const auto more = all - static_cast<std::int64_t>(names.size());
  if (more > 0 && !names.empty()) out << indent << heading << " and " << more << " more\n";
}

std::string longer_or_shorter(std::int64_t now, std::int64_t before) {
  if (now == before) return "in the same time";
  return format_duration(std::chrono::milliseconds{std::abs(now - before)}) + (now > before ? " longer" : " shorter");
}

void print_comparison(std::ostream& out, const json::object& result, const json::object& since) {
  const auto number = [&](const char* key) { return number_at(since, key); };
  std::string changes;
  const auto add = [&](std::int64_t count, std::string_view what, bool plural) {
    if (count > 0) changes += (changes.empty() ? "" : ", ") + counted(count, what, plural);
  };
  add(number("regressions"), "regression", true);
  add(number("fixes"), "fixed", false);
  add(number("changed"), "otherwise changed", false);
  add(number("added"), "added", false);
  add(number("removed"), "removed", false);
  out << indent << "since job " << printable(text_at(since, "job")) << ": " << (changes.empty() ? "nothing changed" : changes) << ", "
      << longer_or_shorter(number_at(result, "time_ms"), number("time_ms_before")) << "\n";
  print_names(out, "REGRESSION", texts_at(since, "regressed"), number("regressions"));
  print_names(out, "changed   ", texts_at(since, "changed_names"), number("changed"));
  print_names(out, "fixed     ", texts_at(since, "fixed"), number("fixes"));
  print_names(out, "added     ", texts_at(since, "added_names"), number("added"));
  print_names(out, "removed   ", texts_at(since, "removed_names"), number("removed"));
}

}  // namespace

void print_test_result(std::ostream& out, const json::object& result) {
  const auto number = [&](const char* key) { return number_at(result, key); };
  out << "result      " << printable(text_at(result, "name")) << "  " << counted(number("total"), "case") << ": " << number("success") << " passed";
  if (number("flaky") > 0) out << " (" << number("flaky") << " flaky)";
  out << ", " << number("failures") << " failed, " << counted(number("errors"), "error") << ", " << number("skips") << " skipped, in "
      << format_duration(std::chrono::milliseconds{number("time_ms")}) << "\n";
  if (const auto problem = text_at(result, "problem"); !problem.empty()) out << indent << "broken: " << printable(problem) << "\n";
  auto failed = texts_at(result, "failed");
  auto bad = number("failures") + number("errors");
  if (const auto* since = result.if_contains("comparison"); since && since->is_object()) {
    print_comparison(out, result, since->get_object());
    // Those are named already.
    const auto regressed = texts_at(since->get_object(), "regressed");
    bad -= static_cast<std::int64_t>(std::erase_if(failed, [&](const auto& name) { return std::find(regressed.begin(), regressed.end(), name) != regressed.end(); }));
  }
  print_names(out, "failed    ", failed, bad);
  print_names(out, "flaky     ", texts_at(result, "flaky_names"), number("flaky"));
}

}  // namespace outpost::cli
