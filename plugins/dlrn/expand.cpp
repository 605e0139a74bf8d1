#include "plugins/dlrn/expand.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event_types.hpp"
#include "plugins/dlrn/source.hpp"

namespace outpost::dlrn {
namespace {

constexpr std::size_t notes_limit = 2000;
constexpr std::size_t url_limit = 1000;

std::string url_for(const std::string& pattern, const job::Job& job, const std::string& job_id) {
  if (pattern.empty() && !job.definition.url.empty()) return job.definition.url;
  // The builder wants one; this says at least which job it was.
  if (pattern.empty()) return "urn:uuid:" + job_id;
  return replace_all(replace_all(pattern, "{job}", job_id), "{name}", percent_encode(job.definition.name)).substr(0, url_limit);
}

std::string notes_for(const job::Story& story, const std::string& job_id, job::Verdict verdict) {
  std::string notes = mark_of(job_id) + ": " + std::string{to_string(verdict)};
  if (story.judgement && !story.judgement->message.empty()) notes += ": " + story.judgement->message;
  const auto& totals = story.totals;
  if (totals.total > 0)
    notes += "; " + describe(totals);
  return printable(notes, notes_limit);
}

}  // namespace

std::string mark_of(const std::string& job_id) { return "outpost " + job_id; }

std::vector<journal::Item> expand(const job::Event& event, const job::Story& before, const VoteSettings& settings) {
  if (event.type != job::event::job_ended || before.claim.external_ref.empty() || before.claim.source != settings.source) return {};
  const auto said = job::parse_verdict(job::text_at(event.data, "verdict"));
  const auto verdict = before.judgement ? before.judgement->verdict : said.value_or(job::Verdict::error);
  if (verdict == job::Verdict::killed || (verdict == job::Verdict::error && !settings.vote_on_error)) return {};
  std::vector<journal::Item> items;
  for (const auto& component : before.job.components) {
    const std::string aggregate = aggregate_of(component);
    const BuildHash build = build_of(component);
    if (aggregate.empty() && build.commit.empty()) continue;
    journal::Item item;
    item.key = event.job_id + '/' + std::string{vote_kind} + '/' + component.id;
    item.job_id = event.job_id;
    item.kind = vote_kind;
    item.body = {{"job_id", before.job.definition.name},
                 {"success", verdict == job::Verdict::success},
                 {"url", url_for(settings.logs_url, before.job, event.job_id)},
                 {"notes", notes_for(before, event.job_id, verdict)},
                 {"timestamp", std::chrono::floor<std::chrono::seconds>(event.occurred_at).time_since_epoch().count()}};
    if (!aggregate.empty()) {
      item.body["aggregate_hash"] = aggregate;
    } else {
      item.body["commit_hash"] = build.commit;
      item.body["distro_hash"] = build.distro;
      item.body["extended_hash"] = build.extended;
    }
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace outpost::dlrn
