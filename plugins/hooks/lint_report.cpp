#include "plugins/hooks/lint.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace outpost::hooks {
namespace {

namespace json = boost::json;

std::string human(const Diagnoses& diagnoses) {
  std::string text;
  for (const auto& one : diagnoses) text += one.where.text() + ": " + std::string{to_string(one.severity)} + " " + one.code + " " + one.message + (one.fix.empty() ? "" : "\n    " + one.fix) + "\n";
  const auto errors = std::count_if(diagnoses.begin(), diagnoses.end(), [](const auto& one) { return one.severity == Severity::error; });
  const auto warnings = static_cast<std::ptrdiff_t>(diagnoses.size()) - errors;
  const auto counted = [](std::ptrdiff_t number, const char* what) { return std::to_string(number) + " " + what + (number == 1 ? "" : "s"); };
  return text + (diagnoses.empty() ? "nothing to complain about\n" : counted(errors, "error") + ", " + counted(warnings, "warning") + "\n");
}

json::object location_of(const config::Origin& where) {
  json::object physical{{"artifactLocation", {{"uri", where.file}}}};
  if (where.line > 0) physical["region"] = {{"startLine", where.line}, {"startColumn", std::max(1, where.column)}};
  return {{"physicalLocation", std::move(physical)}};
}

json::value as_sarif(const Diagnoses& diagnoses) {
  json::array rules, results;
  for (const auto& code : all_codes()) rules.push_back({{"id", code.code}, {"shortDescription", {{"text", code.title}}}});
  for (const auto& one : diagnoses)
    results.push_back({{"ruleId", one.code}, {"level", to_string(one.severity)}, {"message", {{"text", one.message + (one.fix.empty() ? "" : "; " + one.fix)}}},
                       {"locations", json::array{location_of(one.where)}}});
  return {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
          {"version", "2.1.0"},
          {"runs", json::array{json::object{{"tool", {{"driver", {{"name", "outpost plugin lint"}, {"version", OUTPOST_VERSION}, {"rules", std::move(rules)}}}}},
                                            {"results", std::move(results)}}}}};
}

}  // namespace

json::array to_json(const Diagnoses& diagnoses) {
  json::array list;
  for (const auto& one : diagnoses)
    list.push_back({{"code", one.code}, {"severity", to_string(one.severity)}, {"file", one.where.file}, {"line", one.where.line},
                    {"column", one.where.column}, {"message", one.message}, {"fix", one.fix}});
  return list;
}

std::string lint_report(const Diagnoses& diagnoses, LintFormat format) {
  if (format == LintFormat::human) return human(diagnoses);
  return json::serialize(format == LintFormat::json ? json::value(to_json(diagnoses)) : as_sarif(diagnoses)) + "\n";
}

}  // namespace outpost::hooks
