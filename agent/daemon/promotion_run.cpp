#include "agent/daemon/promotion_run.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <boost/json/parse.hpp>

#include <utility>

namespace outpost::daemon {

namespace json = boost::json;
using job::text_at;
using Outcome = PromotionRun::Outcome;

namespace {

/// A report names every job of every candidate.
constexpr std::size_t longest_line = std::size_t{16} << 20;
constexpr std::size_t longest_message = 600;

/// The members of a list that are objects.
std::vector<const json::object*> objects_at(const json::object& object, std::string_view key) {
  std::vector<const json::object*> found;
  const auto* value = object.if_contains(key);
  if (!value || !value->is_array()) return found;
  for (const auto& each : value->get_array())
    if (each.is_object()) found.push_back(&each.get_object());
  return found;
}

/// The jobs that stand in the way of the candidate that lacks the fewest; of two the newer one counts.
json::array missing_of(const json::object& target) {
  std::optional<json::array> least;
  for (const auto* candidate : objects_at(target, "candidates")) {
    json::array missing;
    for (const auto* job : objects_at(*candidate, "jobs")) {
      const std::string state = text_at(*job, "state");
      if (state != "passed" && state != "alternative" && state != "waived") missing.emplace_back(text_at(*job, "job"));
    }
    if (!least || missing.size() < least->size()) least = std::move(missing);
  }
  return least.value_or(json::array{});
}

PromotionRun read_report(const json::object& report) {
  PromotionRun run;
  run.release = text_at(report, "release");
  std::vector<std::string> failures;
  for (const auto* each : objects_at(report, "resumed")) {
    const auto* candidate = each->if_contains("candidate");
    const std::string target = text_at(*each, "to"), outcome = text_at(*each, "outcome");
    if (outcome == "promoted" && candidate && candidate->is_object())
      run.promoted.push_back({target, text_at(candidate->get_object(), "full_hash")});
    if (outcome == "open") failures.push_back(target + ": an interrupted promotion could neither be finished nor put back");
  }
  for (const auto* each : objects_at(report, "targets")) {
    const std::string target = text_at(*each, "target"), outcome = text_at(*each, "outcome"), message = text_at(*each, "message");
    if (outcome == "promoted") run.promoted.push_back({target, message});
    if (outcome == "failed" || outcome == "left open") failures.push_back(target + ": " + outcome + ": " + message);
    run.targets.push_back(json::object{{"target", target}, {"from", text_at(*each, "from")}, {"outcome", outcome},
                                       {"message", printable(message, longest_message)}, {"missing", missing_of(*each)}});
  }
  run.outcome = job::flag_at(report, "went_well") ? Outcome::well : Outcome::failed;
  run.message = printable(join(failures, "; "), longest_message);
  return run;
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::well: return "well";
    case Outcome::failed: return "failed";
    case Outcome::busy: return "busy";
    case Outcome::cancelled: return "cancelled";
  }
  return "";
}

void PromotionEar::take(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto piece = bytes.substr(0, end);
    if (rest_.size() + piece.size() > longest_line) cut_ = true;
    if (!cut_) rest_ += piece;
    if (end == std::string_view::npos) return;
    if (!cut_) line(rest_);
    rest_.clear();
    cut_ = false;
    bytes.remove_prefix(end + 1);
  }
}

void PromotionEar::line(std::string_view text) {
  if (text.starts_with('{')) {
    boost::system::error_code error;
    auto parsed = json::parse(text, error);
    if (!error && parsed.is_object() && parsed.get_object().contains("went_well")) {
      report_ = std::move(parsed.get_object());
      return;
    }
  }
  if (trim(text).empty()) return;
  words_ = printable(trim(text), longest_message);
  say_(words_);
}

PromotionRun PromotionEar::understand(const process::Ending& ending) {
  if (!rest_.empty()) line(std::exchange(rest_, {}));
  const auto* exited = std::get_if<process::Exited>(&ending);
  if (exited && report_) return read_report(*report_);
  PromotionRun run;
  if (std::holds_alternative<process::Cancelled>(ending)) {
    run.outcome = Outcome::cancelled;
  } else if (exited && exited->status == promoter_is_busy) {
    run.outcome = Outcome::busy;
    run.message = words_;
  } else if (std::holds_alternative<process::TimedOut>(ending)) {
    run.message = "it did not end in time, and the next run goes on with what it has begun; the last it said: " + words_;
  } else if (exited) {
    run.message = words_.empty() ? "outpost promote ended with status " + std::to_string(exited->status) : words_;
  } else {
    run.message = "outpost promote was killed" + (words_.empty() ? "" : "; the last it said: " + words_);
  }
  return run;
}

}  // namespace outpost::daemon
