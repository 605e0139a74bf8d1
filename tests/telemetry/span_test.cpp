#include "agent/telemetry/span.hpp"

#include "agent/job/event_types.hpp"
#include "agent/job/trace.hpp"

#include "fakes/fake_journal.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::test;
using namespace std::chrono_literals;
namespace json = boost::json;
namespace event = job::event;

namespace {

const std::string job_id = "019e0000-0000-7000-8000-000000000001";

/// A journal to which a job writes, and the moments at which it did.
struct Story {
  job::Event happened(std::string_view type, json::object data, std::string step = "") {
    job::Event draft;
    draft.type = type;
    draft.job_id = job_id;
    draft.step_id = std::move(step);
    draft.data = std::move(data);
    std::vector<job::Event> drafts{draft};
    return await(journal.append(std::move(drafts)))->front();
  }
  std::optional<telemetry::Span> ended(std::string_view type, json::object data, std::string step = "") {
    return telemetry::span_ended_by(happened(type, std::move(data), std::move(step)), journal);
  }
  FakeJournal journal;
};

}  // namespace

TEST_CASE("a job is a trace, and its stages and steps are spans below each other") {
  Story story;
  story.happened(event::job_queued, {{"definition", {{"name", "nightly"}, {"source", "dci"}, {"topic", "OCP-4.16"}}}, {"components", {{{"name", "OpenShift 4.16.3"}}, {{"name", "acme 1.0"}}}}});
  const auto claimed = story.happened(event::claim_requested, {{"claim_id", "c"}});
  story.happened(event::claim_granted, {{"url", "https://dci.example.org/jobs/1"}});
  const auto begun = story.happened(event::stage_started, {{"stage", "install"}});
  const auto started = story.happened(event::step_started, {{"stage", "install"}}, "install.acme");
  const auto step = story.ended(event::step_ended, {{"stage", "install"}, {"plugin", "acme"}, {"hook", "install"}, {"ending", "exited"}, {"code", 3}, {"class", "fail"}, {"duration_ms", 5},
                                                    {"figures", {{"cpu_us", 1200}}}}, "install.acme");
  const auto stage = story.ended(event::stage_ended, {{"stage", "install"}, {"outcome", "failed"}, {"duration_ms", 6}});
  story.happened(event::verdict_reached, {{"verdict", "failure"}, {"reason", "step-failed"}, {"message", "install of acme failed"}});
  const auto whole = story.ended(event::job_ended, {{"verdict", "failure"}, {"duration_ms", 7}});
  REQUIRE((step && stage && whole));

  for (const auto& span : {*step, *stage, *whole}) {
    CHECK(span.trace_id == "019e0000000070008000000000000001");
    CHECK(span.span_id.size() == 16);
    CHECK(job::text_at(span.attributes, "cicd.pipeline.run.id") == job_id);
    CHECK(span.failed);
  }
  CHECK(whole->parent_id.empty());
  CHECK(stage->parent_id == whole->span_id);
  CHECK(step->parent_id == stage->span_id);
  // What a hook does itself hangs below its step.
  CHECK(job::traceparent_of(job_id, "install.acme") == "00-" + step->trace_id + "-" + step->span_id + "-01");

  CHECK(step->begin == started.occurred_at);
  CHECK(stage->begin == begun.occurred_at);
  CHECK(whole->begin == claimed.occurred_at);
  CHECK(step->message == "exit status 3");
  CHECK(step->attributes.at("error.type") == "fail");
  CHECK(step->attributes.at("outpost.cpu_us") == 1200);
  CHECK(whole->name == "RUN nightly");
  CHECK(whole->message == "install of acme failed");
  CHECK(whole->attributes.at("cicd.pipeline.result") == "failure");
  CHECK(whole->attributes.at("error.type") == "step-failed");
  CHECK(whole->attributes.at("cicd.pipeline.run.url.full") == "https://dci.example.org/jobs/1");
  CHECK(whole->attributes.at("outpost.components") == json::array{"OpenShift 4.16.3", "acme 1.0"});
}

TEST_CASE("how something ended is said in the words of the convention") {
  Story story;
  const auto result = [&](const char* ending, const char* step_class) {
    const auto span = story.ended(event::step_ended, {{"stage", "test"}, {"plugin", "a"}, {"hook", "more"}, {"ending", ending}, {"class", step_class}}, "test.a.more");
    CHECK(span->name == "a/more");
    return std::string{span->attributes.at("cicd.pipeline.task.run.result").as_string()} + (span->failed ? "!" : "");
  };
  CHECK(result("exited", "ok") == "success");
  CHECK(result("exited", "skip") == "skip");
  CHECK(result("exited", "fail") == "failure!");
  CHECK(result("exited", "infrastructure") == "error!");
  CHECK(result("timed-out", "none") == "timeout!");
  CHECK(result("cancelled", "none") == "cancellation!");
  CHECK(result("out-of-memory", "none") == "error!");
  CHECK_FALSE(story.ended(event::stage_ended, {{"stage", "test"}, {"outcome", "empty"}}));
  CHECK(story.ended(event::stage_ended, {{"stage", "test"}, {"outcome", "ok"}})->attributes.at("cicd.pipeline.task.run.result") == "success");
  CHECK_FALSE(story.ended(event::stage_started, {{"stage", "test"}}));
  CHECK(story.ended(event::job_ended, {{"verdict", "killed"}})->attributes.at("cicd.pipeline.result") == "cancellation");
}

TEST_CASE("what the journal does not know the beginning of began as long ago as its end says") {
  Story story;
  const auto ending = story.happened(event::step_ended, {{"stage", "test"}, {"plugin", "a"}, {"hook", "test"}, {"ending", "exited"}, {"class", "ok"}, {"duration_ms", 1500}}, "test.a");
  const auto span = telemetry::span_ended_by(ending, story.journal);
  CHECK(span->end - span->begin == 1500ms);
}
