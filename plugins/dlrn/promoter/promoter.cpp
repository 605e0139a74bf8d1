#include "plugins/dlrn/promoter/promoter.hpp"

#include "agent/base/text.hpp"

#include <algorithm>
#include <limits>

namespace outpost::promoter {

namespace asio = boost::asio;

namespace {

constexpr auto all_of_it = std::numeric_limits<std::size_t>::max();

void warn_of_unknown_jobs(const Target& target, const std::vector<std::string>& seen, TargetReport& report) {
  for (const auto& [job, near] : unknown_jobs(target, seen))
    report.warnings.push_back(target.where.text() + ": no candidate has ever had a vote of " + job +
                              (near.empty() ? "; is the name right?" : "; did you mean " + near + "?"));
}

}  // namespace

Result<std::vector<Record>> read_history(journal::Journal& journal) {
  std::vector<job::Event> events;
  for (;;) {
    auto page = journal.read({.after = events.empty() ? 0 : events.back().seq, .types = record_events()});
    if (!page) return page.error();
    if (page->empty()) return replay(events);
    events.insert(events.end(), page->begin(), page->end());
  }
}

bool Promoter::is_wanted(const Target& target) const {
  return options_.targets.empty() ||
         std::any_of(options_.targets.begin(), options_.targets.end(),
                     [&](const std::string& each) { return target.is_meant_by(each); });
}

asio::awaitable<Result<RunReport>> Promoter::run() {
  RunReport report{.release = release_.key(), .dry_run = options_.dry_run};
  const auto resumed = co_await resume(report);
  if (!resumed) co_return resumed.error();
  for (const auto& target : release_.targets) {
    if (!is_wanted(target)) continue;
    const std::string name = target.to().text();
    const bool is_open = std::any_of(report.resumed.begin(), report.resumed.end(),
                                     [&](const Record& each) { return !each.ended && each.move.target().text() == name; });
    if (is_open && !options_.dry_run) {
      report.targets.push_back({.target = name,
                                .from = target.candidate_label,
                                .outcome = Outcome::open,
                                .message = "an earlier promotion has to end first"});
      continue;
    }
    auto looked_at = co_await look_at(target);
    report.targets.push_back(std::move(looked_at));
  }
  co_return report;
}

asio::awaitable<Result<void>> Promoter::resume(RunReport& report) {
  auto history = read_history(ports_.journal);
  if (!history) co_return history.error();
  for (auto& record : *history) {
    if (record.ended) continue;
    if (options_.dry_run) {
      report.resumed.push_back(std::move(record));
      continue;
    }
    ports_.say("going on with the promotion of " + record.move.candidate.full_hash() + " to " + record.move.target().text());
    Promotion promotion{{ports_.journal, ports_.builder, ports_.places, ports_.say}, std::move(record)};
    const auto ended = co_await promotion.run(ports_.clock);
    if (!ended) report.warnings.push_back(ended.error().message);
    report.resumed.push_back(promotion.record());
  }
  co_return Result<void>{};
}

asio::awaitable<TargetReport> Promoter::look_at(Target target) {
  TargetReport report{.target = target.to().text(), .from = target.candidate_label};
  const Label from = target.from(), to = target.to();
  auto candidates = co_await history_of(ports_.builder, from, release_.newest);
  if (!candidates) {
    report.message = candidates.error().message;
    co_return report;
  }
  if (candidates->empty()) {
    report.message = "nothing was ever promoted to " + from.text() + " at " + release_.api_url +
                     "; is the name of the label right?";
    co_return report;
  }
  const auto promoted = co_await history_of(ports_.builder, to, all_of_it);
  if (!promoted) {
    report.message = promoted.error().message;
    co_return report;
  }
  auto left = eligible(std::move(*candidates), *promoted, release_.newest);
  if (left.empty()) {
    report.outcome = Outcome::nothing_new;
    report.message = "the newest of " + target.candidate_label + " is there already";
    co_return report;
  }
  co_await judge_candidates(target, std::move(left), report);
  if (!report.chosen) co_return report;
  Move move{*report.chosen, target.candidate_label, target.label, target.component};
  std::string nobody;
  co_await promote(std::move(move), std::move(nobody), report);
  co_return report;
}

asio::awaitable<void> Promoter::judge_candidates(const Target& target, std::vector<Candidate> candidates,
                                                 TargetReport& report) {
  std::vector<std::string> seen;
  for (auto& candidate : candidates) {
    const auto votes = co_await ports_.builder.votes(candidate);
    if (!votes && votes.error().fault == Fault::refused) {
      report.warnings.push_back(candidate.full_hash() + " is passed over: " + votes.error().message);
      continue;
    }
    if (!votes) {
      report.message = votes.error().message;
      co_return;
    }
    for (const auto& vote : *votes) seen.push_back(vote.job_id);
    auto judgement = judge(target, candidate, *votes, options_.waivers, ports_.clock.now());
    const bool passed = judgement.passed();
    report.candidates.push_back({candidate, std::move(judgement)});
    if (!passed) continue;
    report.chosen = std::move(candidate);
    co_return;
  }
  report.outcome = Outcome::not_yet;
  report.message = "none of " + std::to_string(candidates.size()) +
                   (candidates.size() == 1 ? " candidate" : " candidates") + " has passed";
  warn_of_unknown_jobs(target, seen, report);
}

asio::awaitable<Result<std::vector<std::string>>> Promoter::plan(Move move) {
  std::vector<std::string> lines;
  for (Place* place : ports_.places) {
    auto planned = co_await place->check(move);
    if (!planned) co_return std::move(planned.error()).in(place->name());
    for (const auto& line : *planned) lines.push_back(std::string{place->name()} + ": " + line);
  }
  co_return lines;
}

asio::awaitable<void> Promoter::promote(Move move, std::string by, TargetReport& report) {
  report.outcome = Outcome::failed;
  auto planned = co_await plan(move);
  if (!planned) {
    report.message = planned.error().message;
    co_return;
  }
  report.plan = *std::move(planned);
  if (options_.dry_run) {
    report.outcome = Outcome::would_promote;
    report.message = move.candidate.full_hash();
    co_return;
  }
  const Label label = move.target();
  const auto incumbent = co_await newest(ports_.builder, label);
  if (!incumbent) {
    report.message = incumbent.error().message;
    co_return;
  }
  Record record;
  record.release = release_.key();
  record.move = std::move(move);
  record.incumbent = *incumbent;
  record.by = std::move(by);
  for (const Place* place : ports_.places) record.places.emplace_back(place->name());
  if (!report.candidates.empty()) record.jobs = to_json(report.candidates.back().judgement);
  Promotion promotion{{ports_.journal, ports_.builder, ports_.places, ports_.say}, std::move(record)};
  const auto ended = co_await promotion.run(ports_.clock);
  const Record& now = promotion.record();
  if (!ended) {
    report.outcome = now.begun_at == Timestamp{} ? Outcome::failed : Outcome::open;
    report.message = ended.error().message;
    co_return;
  }
  report.outcome = now.outcome == "promoted" ? Outcome::promoted : Outcome::failed;
  report.message = now.outcome == "promoted" ? now.move.candidate.full_hash() : now.outcome + ": " + now.message;
}

asio::awaitable<Result<RunReport>> Promoter::force(Forced forced) {
  RunReport report{.release = release_.key(), .dry_run = options_.dry_run};
  const auto resumed = co_await resume(report);
  if (!resumed) co_return resumed.error();
  TargetReport target{
      .target = forced.move.target().text(), .from = forced.move.from, .chosen = forced.move.candidate};
  const auto open =
      std::any_of(report.resumed.begin(), report.resumed.end(), [](const Record& each) { return !each.ended; });
  if (open && !options_.dry_run) {
    target.outcome = Outcome::open;
    target.message = "an earlier promotion has to end first";
  } else {
    co_await promote(std::move(forced.move), std::move(forced.by), target);
  }
  report.targets.push_back(std::move(target));
  co_return report;
}

asio::awaitable<Result<RunReport>> Promoter::roll_back(Label label, std::string by) {
  const Label previous = label.previous();
  const auto before = co_await newest(ports_.builder, previous);
  if (!before) co_return before.error();
  if (!*before)
    co_return Error{Fault::unavailable,
                    "nothing was ever promoted to " + previous.text() + ", so there is nothing to go back to"};
  Forced forced{{**before, previous.name, label.name, label.component}, std::move(by)};
  co_return co_await force(std::move(forced));
}

}  // namespace outpost::promoter
