#include "agent/job/story.hpp"

#include "agent/job/event_types.hpp"
#include "support/catch.hpp"

using namespace outpost::job;

namespace {

struct Telling {
  std::vector<Event> events;

  Event& tell(std::string_view type, boost::json::object data = {}) {
    Event event;
    event.type = type;
    event.job_id = "job";
    event.seq = events.size() + 1;
    event.data = std::move(data);
    return events.emplace_back(std::move(event));
  }
};

Telling running_job() {
  Telling job;
  job.tell(event::job_queued, {{"definition", to_json(Definition{.name = "nightly", .source = "dci"})}, {"components", {to_json(Component{.id = "c1"})}}, {"reporters", {"dci"}}});
  job.tell(event::claim_requested, {{"claim_id", "claim"}});
  job.tell(event::claim_granted, {{"url", "https://x"}, {"document", {{"team_id", "t"}}}}).claim = Claim{"dci", "remote", ""};
  job.tell(event::stage_started, {{"stage", "install"}});
  job.tell(event::step_started, {{"stage", "install"}, {"plugin", "acme"}, {"hook", "install"}}).step_id = "install.acme";
  return job;
}

}  // namespace

TEST_CASE("a story is what its events say") {
  Telling job = running_job();
  auto& cut = job.tell(event::log_cut, {{"stage", "install"}});
  cut.step_id = "install.acme";
  cut.blobs.push_back({"logs/x", "", 10, "", "", Blob::Range{90}});
  const Story running = replay(job.events);
  CHECK(running.job.definition.name == "nightly");
  CHECK(running.job.components.size() == 1);
  CHECK(running.claim.external_ref == "remote");
  CHECK(text_at(running.document, "team_id") == "t");
  CHECK(running.describe() == "running: install");
  CHECK(running.steps.at(0).cut_bytes == 100);
  CHECK_FALSE(running.steps.at(0).ended);

  job.tell(event::step_ended, {{"stage", "install"}, {"ending", "exited"}, {"code", 1}}).step_id = "install.acme";
  job.tell(event::result_found, {{"name", "r"}, {"total", 3}, {"success", 2}, {"failures", 1}});
  job.tell(event::stage_ended, {{"stage", "install"}, {"outcome", "failed"}});
  job.tell(event::verdict_reached, to_json(Judgement{.verdict = Verdict::failure, .reason = "tests-failed"}));
  job.tell(event::job_ended, {});
  const Story ended = replay(job.events);
  CHECK(ended.describe() == "failure");
  CHECK(ended.steps.at(0).ending.code == 1);
  CHECK(ended.totals.total == 3);
  CHECK(ended.stage(Stage::install)->ended);
  CHECK(ended.ended);
}

TEST_CASE("events of other jobs, of unknown types and of unknown steps change nothing") {
  Telling job = running_job();
  const Story before = replay(job.events);
  Event other;
  other.type = event::job_ended;
  other.job_id = "another";
  job.events.push_back(other);
  job.tell("something.new", {{"stage", "install"}});
  job.tell(event::step_ended, {{"ending", "exited"}}).step_id = "no such step";
  const Story after = replay(job.events);
  CHECK(after.describe() == before.describe());
  CHECK_FALSE(after.ended);
  CHECK_FALSE(after.steps.at(0).ended);
}
