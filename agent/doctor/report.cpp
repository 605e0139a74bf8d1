#include "agent/doctor/report.hpp"

#include "agent/base/text.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <sstream>

namespace outpost::doctor {
namespace {

namespace json = boost::json;

std::string word(Verdict verdict, bool colour) {
  const std::string padded = std::string{verdict == Verdict::pass   ? "ok"
                                         : verdict == Verdict::warn ? "WARN"
                                         : verdict == Verdict::fail ? "FAIL"
                                                                    : "-"} +
                             "    ";
  const std::string shown = padded.substr(0, 4);
  if (!colour || verdict == Verdict::skip) return shown;
  const char* code = verdict == Verdict::pass ? "32" : verdict == Verdict::warn ? "33" : "31";
  return "\x1b[" + std::string{code} + "m" + shown + "\x1b[0m";
}

/// Several lines below each other, at one place.
std::string indented(const std::string& text, const std::string& margin) {
  std::string out;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) out += margin + line + "\n";
  return out;
}

std::string plural(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass: return "pass";
    case Verdict::warn: return "warn";
    case Verdict::fail: return "fail";
    case Verdict::skip: break;
  }
  return "skip";
}

Finding passed(std::string measured) { return {Verdict::pass, std::move(measured), {}, {}, {}}; }
Finding skipped(std::string why) { return {Verdict::skip, std::move(why), {}, {}, {}}; }
Finding warned(std::string measured, std::string problem, Cure cure) {
  return {Verdict::warn, std::move(measured), std::move(problem), std::string{trim(cure.commands)}, std::string{trim(cure.advice)}};
}
Finding failed(std::string measured, std::string problem, Cure cure) {
  return {Verdict::fail, std::move(measured), std::move(problem), std::string{trim(cure.commands)}, std::string{trim(cure.advice)}};
}

std::size_t Report::count(Verdict verdict) const {
  return static_cast<std::size_t>(
      std::count_if(rows.begin(), rows.end(), [&](const Row& row) { return row.finding.verdict == verdict; }));
}

Verdict Report::worst() const {
  return count(Verdict::fail) > 0 ? Verdict::fail : count(Verdict::warn) > 0 ? Verdict::warn : Verdict::pass;
}

json::object to_json(const Report& report) {
  json::array checks;
  for (const auto& row : report.rows) {
    const Finding& finding = row.finding;
    checks.push_back(json::object{{"id", row.id},
                                  {"group", row.group},
                                  {"name", row.name},
                                  {"verdict", to_string(finding.verdict)},
                                  {"measured", finding.measured},
                                  {"problem", finding.problem},
                                  {"fix", finding.fix},
                                  {"advice", finding.advice},
                                  {"fixable", finding.repair != nullptr},
                                  {"repaired", row.repaired},
                                  {"page", "man 7 outpost-doctor, " + std::string{row.id}}});
  }
  return {{"schema", "outpost-doctor"},
          {"version", report_version},
          {"verdict", to_string(report.worst())},
          {"checks", std::move(checks)}};
}

std::string to_text(const Report& report, bool colour) {
  constexpr std::size_t widest = 26;
  std::string out;
  for (const auto& row : report.rows) {
    const Finding& finding = row.finding;
    std::string name{row.name};
    name.resize(std::max(widest, name.size()), ' ');
    out += word(finding.verdict, colour) + "  " + std::string{row.id} + "  " + name + "  ";
    out += indented(finding.measured, std::string(widest + 13, ' ')).substr(widest + 13);
    if (finding.measured.empty()) out += "\n";
    if (!row.repaired.empty()) out += indented("repaired: " + row.repaired, std::string(11, ' '));
    if (!finding.problem.empty()) out += indented(finding.problem, std::string(11, ' '));
    if (!finding.advice.empty()) out += indented(finding.advice, std::string(11, ' ') + "to do: ");
    if (!finding.fix.empty()) out += indented(finding.fix, std::string(11, ' ') + "fix: ");
  }
  out += plural(report.count(Verdict::fail), "failure") + ", " + plural(report.count(Verdict::warn), "warning") + ", " +
         std::to_string(report.count(Verdict::pass)) + " passed, " + std::to_string(report.count(Verdict::skip)) +
         " not looked at; man 7 outpost-doctor explains each by its number\n";
  return out;
}

}  // namespace outpost::doctor
