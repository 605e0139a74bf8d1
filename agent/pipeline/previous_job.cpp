#include "agent/pipeline/previous_job.hpp"

#include "agent/job/event_types.hpp"

namespace outpost::pipeline {
namespace {

namespace event = job::event;

constexpr std::size_t looked_through = 200;  ///< The newest so many jobs.
constexpr std::size_t most_events = 10'000;  ///< That say what a job found.

bool is_alike(const job::Definition& left, const job::Definition& right) {
  return left.source == right.source && left.topic == right.topic && left.name == right.name &&
         left.configuration == right.configuration && left.url == right.url;
}

Result<job::Story> beginning_of(journal::Journal& journal, const std::string& job_id) {
  const auto events = journal.read({.job_id = job_id, .types = {std::string{event::job_queued}, std::string{event::claim_granted}}});
  if (!events) return events.error();
  return job::replay(*events);
}

}  // namespace

Result<std::optional<PreviousResults>> find_previous_results(journal::Journal& journal, const job::Story& story,
                                                             const std::filesystem::path& jobs_directory) {
  const auto rows = journal.jobs(false, looked_through);
  if (!rows) return rows.error();
  bool earlier = false;
  for (const auto& row : *rows) {
    if (earlier) {
      const auto other = beginning_of(journal, row.job_id);
      if (!other) return other.error();
      if (other->claim.external_ref.empty() || !is_alike(other->job.definition, story.job.definition)) continue;
      const auto found = journal.read({.job_id = row.job_id, .types = {std::string{event::result_found}}, .limit = most_events});
      if (!found) return found.error();
      PreviousResults previous{row.job_id, jobs_directory / row.job_id, {}};
      for (const auto& each : *found)
        if (!each.blobs.empty()) previous.files[job::text_at(each.data, "name")] = each.blobs.front().path;
      return std::optional{std::move(previous)};
    }
    earlier = row.job_id == story.job.id;
  }
  return std::optional<PreviousResults>{};
}

}  // namespace outpost::pipeline
