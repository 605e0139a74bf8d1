#include "plugins/dlrn/promoter/report.hpp"

#include "agent/base/text.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace outpost::promoter {

namespace json = boost::json;
using Outcome = TargetReport::Outcome;

namespace {

constexpr std::size_t jobs_shown = 10;

bool failed(const TargetReport& target) { return target.outcome == Outcome::failed || target.outcome == Outcome::open; }

std::string text_of(const CandidateReport& report) {
  std::string text = "    " + printable(report.candidate.full_hash());
  const auto missing = report.judgement.missing();
  text += missing.empty() ? ": passed\n"
                          : ": " + std::to_string(missing.size()) + " of " +
                                std::to_string(report.judgement.jobs.size()) + " jobs missing\n";
  std::size_t shown = 0;
  for (const auto& job : report.judgement.jobs) {
    if (job.state == JobState::passed) continue;
    if (++shown > jobs_shown) continue;
    text += "      " + printable(job.job) + ": " + std::string{to_string(job.state)} +
            (job.by.empty() ? "" : " (" + printable(job.by) + ")") + "\n";
  }
  if (shown > jobs_shown) text += "      and " + std::to_string(shown - jobs_shown) + " more\n";
  return text;
}

json::array lines(const std::vector<std::string>& texts) { return json::array(texts.begin(), texts.end()); }

json::object to_json(const TargetReport& report) {
  json::array candidates;
  for (const auto& each : report.candidates)
    candidates.push_back(json::object{{"candidate", to_json(each.candidate)},
                                      {"passed", each.judgement.passed()},
                                      {"jobs", to_json(each.judgement)}});
  json::object result{{"target", report.target},
                      {"from", report.from},
                      {"outcome", to_string(report.outcome)},
                      {"message", report.message},
                      {"candidates", std::move(candidates)},
                      {"plan", lines(report.plan)},
                      {"warnings", lines(report.warnings)}};
  if (report.chosen) result["chosen"] = to_json(*report.chosen);
  return result;
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::promoted: return "promoted";
    case Outcome::would_promote: return "would be promoted";
    case Outcome::nothing_new: return "nothing new";
    case Outcome::not_yet: return "criteria not met";
    case Outcome::failed: return "failed";
    case Outcome::open: return "left open";
  }
  return "";
}

bool RunReport::went_well() const {
  return std::none_of(targets.begin(), targets.end(), failed) &&
         std::all_of(resumed.begin(), resumed.end(), [](const Record& each) { return each.ended; });
}

std::string to_text(const RunReport& report) {
  std::string text;
  for (const auto& line : report.warnings) text += "warning: " + printable(line) + "\n";
  for (const auto& each : report.resumed)
    text += "an interrupted promotion of " + each.move.candidate.full_hash() + " to " + each.move.target().text() + ": " +
            (each.ended ? each.outcome + ", " + printable(each.message) : "still open") + "\n";
  std::size_t promoted = 0;
  for (const auto& target : report.targets) {
    text += target.target + " (from " + target.from + "): " + std::string{to_string(target.outcome)};
    if (!target.message.empty()) text += ": " + printable(target.message);
    text += "\n";
    for (const auto& line : target.warnings) text += "  warning: " + printable(line) + "\n";
    for (const auto& candidate : target.candidates) text += text_of(candidate);
    if (target.outcome == Outcome::would_promote)
      for (const auto& line : target.plan) text += "    would do: " + printable(line) + "\n";
    promoted += target.outcome == Outcome::promoted ? 1 : 0;
  }
  return text + report.release + ": promoted " + std::to_string(promoted) + (promoted == 1 ? " hash" : " hashes") +
         (report.dry_run ? " (dry run)" : "") + "\n";
}

json::object to_json(const RunReport& report) {
  json::array targets, resumed;
  for (const auto& target : report.targets) targets.push_back(to_json(target));
  for (const auto& each : report.resumed) resumed.push_back(to_json(each));
  return {{"release", report.release},          {"dry_run", report.dry_run},     {"went_well", report.went_well()},
          {"warnings", lines(report.warnings)}, {"resumed", std::move(resumed)}, {"targets", std::move(targets)}};
}

std::string to_text(std::span<const Record> history) {
  std::string text;
  for (auto each = history.rbegin(); each != history.rend(); ++each) {
    text += to_rfc3339(each->begun_at).substr(0, 19) + "Z  " + each->move.from + " -> " + each->move.target().text() + "  " +
            each->move.candidate.full_hash() + "  " + (each->ended ? each->outcome : "open");
    if (!each->by.empty()) text += ", by " + printable(each->by);
    if (each->outcome != "promoted") text += ": " + printable(each->ended ? each->message : each->undo_reason);
    text += "\n";
  }
  return text.empty() ? "nothing has been promoted yet\n" : text;
}

}  // namespace outpost::promoter
