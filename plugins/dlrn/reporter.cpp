#include "plugins/dlrn/reporter.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

namespace outpost::dlrn {
namespace {

using boost::asio::awaitable;
using pipeline::Outcome;
using Found = Result<std::optional<std::string>>;

Report report_of(const journal::Item& item) {
  Report report;
  report.job_id = job::text_at(item.body, "job_id");
  report.build = {job::text_at(item.body, "commit_hash"), job::text_at(item.body, "distro_hash"), job::text_at(item.body, "extended_hash")};
  report.aggregate = job::text_at(item.body, "aggregate_hash");
  report.success = job::flag_at(item.body, "success");
  report.url = job::text_at(item.body, "url");
  report.notes = job::text_at(item.body, "notes");
  report.timestamp = std::chrono::sys_seconds{std::chrono::seconds{job::number_at(item.body, "timestamp")}};
  return report;
}

/// Rows have no number in any answer.
std::string ref_of(const Report& report) {
  return report.job_id + '@' + std::to_string(report.timestamp.time_since_epoch().count());
}

Outcome outcome_of(const Failure& failure) {
  switch (failure.meaning) {
    case Meaning::retry_later: return pipeline::RetryAfter{failure.wait, failure.message};
    case Meaning::fix_credentials: return pipeline::FixCredentials{failure.message};
    default: return pipeline::Parked{failure.message};
  }
}

}  // namespace

awaitable<Outcome> DlrnReporter::send(const journal::Item& item, const pipeline::Refs&) {
  if (item.kind != vote_kind) co_return pipeline::Parked{"this version does not know items of the kind \"" + printable(item.kind, 60) + "\""};
  Report report = report_of(item);
  const std::string ref = ref_of(report);
  const bool of_aggregate = !report.aggregate.empty();
  const auto vote = co_await api_.report(std::move(report));
  if (!vote && of_aggregate && vote.error().status == 400) {
    Failure why = vote.error();
    why.message += ": a builder takes votes on an aggregate only once it was promoted";
    co_return outcome_of(why);
  }
  if (!vote) co_return outcome_of(vote.error());
  co_return pipeline::Delivered{ref};
}

awaitable<Found> DlrnReporter::find(const journal::Item& item, const pipeline::Refs&) {
  const Report report = report_of(item);
  std::string aggregate = report.aggregate;
  BuildHash build = report.build;
  Answer<std::vector<Vote>> votes = std::vector<Vote>{};
  if (!aggregate.empty()) votes = co_await api_.aggregate_votes(std::move(aggregate));
  else votes = co_await api_.votes(std::move(build));
  if (!votes && votes.error().meaning == Meaning::refused) co_return std::optional<std::string>{};
  if (!votes) co_return to_error(votes.error());
  for (const auto& vote : *votes)
    if (!vote.in_progress && vote.job_id == report.job_id && vote.timestamp == report.timestamp && vote.notes.starts_with(mark_of(item.job_id)))
      co_return std::optional{ref_of(report)};
  co_return std::optional<std::string>{};
}

}  // namespace outpost::dlrn
