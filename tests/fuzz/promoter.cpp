// What promotes a release: the ini of the old promoter, its yaml, and waivers; then votes of every sort on the criteria.
// The first line says which: "ini", "yaml" or "waivers".
#include "promise.hpp"

#include "plugins/dlrn/promoter/selection.hpp"
#include "plugins/dlrn/promoter/settings_reader.hpp"
#include "support/temporary_directory.hpp"

#include <algorithm>

namespace {

using namespace outpost;
using namespace outpost::promoter;

const Timestamp now = *parse_rfc3339("2026-11-20T12:00:00Z");

void promise_mistakes(const config::Problems& problems) {
  fuzz::promise(!problems.list.empty(), "a refusal says why");
  for (const auto& problem : problems.list) fuzz::promise_message(problem.text());
}

dlrn::Vote vote_of(const std::string& job, bool success, bool in_progress, int hours_ago) {
  dlrn::Vote vote;
  vote.job_id = job;
  vote.success = success;
  vote.in_progress = in_progress;
  vote.timestamp = std::chrono::floor<std::chrono::seconds>(now) - std::chrono::hours{hours_ago};
  return vote;
}

/// Whatever the criteria are: silence never passes, and a fresh success of every job always does.
void judge_all(const Target& target) {
  const Candidate candidate{.build = {std::string(40, 'a'), std::string(40, 'b'), {}}};
  const auto silent = judge(target, candidate, {}, {}, now);
  fuzz::promise(silent.jobs.size() == target.criteria.size(), "each job is judged");
  fuzz::promise(!silent.passed(), "what nobody has tested does not pass");
  std::vector<dlrn::Vote> votes;
  for (const auto& job : target.criteria) votes.push_back(vote_of(job, true, false, 0));
  fuzz::promise(judge(target, candidate, votes, {}, now).passed(), "what all jobs have passed passes");
  for (const auto& job : target.criteria) {
    votes.push_back(vote_of(job, false, true, 0));
    votes.push_back(vote_of(job, false, false, 1));
  }
  fuzz::promise(judge(target, candidate, votes, {}, now).passed(), "older failures and what is in progress do not count");
  for (const auto& [job, near] : unknown_jobs(target, {}))
    fuzz::promise(near.empty(), "where nothing was seen nothing is near");
}

void read_release(const std::filesystem::path& file) {
  const auto loaded = load_release(file);
  if (!loaded) return promise_mistakes(loaded.error());
  const Release& release = loaded->release;
  fuzz::promise(!release.targets.empty(), "a release promotes something");
  fuzz::promise(!release.api_url.empty() && release.newest > 0, "a release has a builder and a window");
  for (const auto& line : loaded->warnings) fuzz::promise_message(line);
  for (const auto& target : release.targets) {
    fuzz::promise(!target.criteria.empty(), "nothing is promoted untested");
    fuzz::promise(!target.label.empty() && target.label != target.candidate_label && target.label != "consistent" &&
                      target.label != "current" && target.label.find('/') == std::string::npos,
                  "a label can be promoted to");
    judge_all(target);
  }
}

void read_waivers(const std::filesystem::path& file) {
  const auto waivers = load_waivers(file);
  if (!waivers) return promise_mistakes(waivers.error());
  for (const auto& waiver : *waivers) {
    fuzz::promise(!waiver.by.empty() && !waiver.why.empty(), "a waiver says who and why");
    fuzz::promise(!waiver.holds_for(waiver.target, waiver.job, waiver.hash, waiver.until), "a waiver ends");
    fuzz::promise(!waiver.holds_for(waiver.target, waiver.job, waiver.hash + "0", now), "a waiver is for one hash");
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const test::TemporaryDirectory directory;
  std::string_view rest = fuzz::text_of(data, size);
  const auto kind = fuzz::take_line(rest);
  const auto file = directory.path / "rdo/CentOS-9" / (kind == "ini" ? "release.ini" : "release.yaml");
  test::write_file(file, rest);
  if (kind == "waivers")
    read_waivers(file);
  else
    read_release(file);
  return 0;
}
