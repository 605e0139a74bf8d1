#include "plugins/dci/expand.hpp"

#include "plugins/dci/story_builder.hpp"
#include "support/catch.hpp"

#include <boost/json/serialize.hpp>

namespace outpost::dci {
namespace {

namespace event = job::event;
using test::keys;
using test::StoryBuilder;
using Keys = std::vector<std::string>;

std::string body(const journal::Item& item, std::string_view name) { return job::text_at(item.body, name); }

TEST_CASE("a job that succeeds goes through the states in order, each after the one before") {
  StoryBuilder job;
  job.claimed();
  for (const char* stage : {"acquire", "pre-run", "install", "certify", "test"}) {
    job.started(stage);
    job.ended(stage, "empty");
  }
  job.verdict("success");
  job.started("collect");
  job.ended("collect", "empty");
  CHECK(keys(job.items) == Keys{"state/new", "state/pre-run", "state/running", "state/post-run", "state/verdict"});
  for (std::size_t i = 1; i + 1 < job.items.size(); ++i) CHECK(job.items[i].needs == Keys{job.items[i - 1].key});
  // The verdict goes after them, and out when one of them was refused.
  CHECK(job.items[4].needs.empty());
  CHECK(job.items[4].follows == Keys{job.items[3].key});
  CHECK(body(job.items[0], "comment") == "job scheduled");
  CHECK(body(job.items[4], "status") == "success");
  for (const auto& item : job.items) {
    CHECK(item.job_id == "job-1");
    CHECK(body(item, "job") == job.remote);
    CHECK_FALSE(body(item, "comment").empty());
  }
}

TEST_CASE("trap: a failure is never posted before running, where the server would store two different statuses") {
  StoryBuilder job;
  job.claimed();
  job.started("acquire");
  job.verdict("failure", "a hook said so");
  job.started("collect");
  const auto items = job.ended("collect", "empty");
  REQUIRE(keys(items) == Keys{"state/verdict"});
  CHECK(body(items[0], "status") == "error");
  CHECK(items[0].follows == Keys{"job-1/state/post-run"});
  // post-run itself followed pre-run, because running never was.
  CHECK(job.items[2].needs == Keys{"job-1/state/pre-run"});
}

TEST_CASE("a failure after running stays one") {
  StoryBuilder job;
  job.claimed();
  job.started("install");
  job.verdict("failure", "install: acme/install exited with status 1");
  job.started("collect");
  const auto items = job.ended("collect", "empty");
  CHECK(body(items.at(0), "status") == "failure");
  CHECK(body(items.at(0), "comment").starts_with("install: acme/install exited with status 1"));
}

TEST_CASE("trap: killed is a status of its own, and sent like the others") {
  StoryBuilder job;
  job.claimed();
  job.started("install");
  job.verdict("killed", "cancelled at the control server");
  job.started("collect");
  CHECK(body(job.ended("collect", "empty").at(0), "status") == "killed");
}

TEST_CASE("a job whose collect never ended gets its verdict at its end, with the same key") {
  StoryBuilder job;
  job.claimed();
  job.started("acquire");
  job.verdict("error", "agent restarted");
  job.started("collect");
  const auto items = job.tell(event::job_ended, {{"verdict", "error"}, {"duration_ms", 2500}});
  REQUIRE(keys(items) == Keys{"state/verdict", "kv/job_seconds", "kv/steps"});
  CHECK(body(items[0], "comment") == "agent restarted");
  CHECK(items[1].body.at("value") == 2.5);

  StoryBuilder bare;
  bare.claimed();
  const auto end = bare.tell(event::job_ended, {{"verdict", "error"}});
  CHECK(body(end.at(0), "status") == "error");
  CHECK(end.at(0).follows == Keys{"job-1/state/new"});
}

TEST_CASE("the largest workspace that was seen is told with the end of the job") {
  StoryBuilder job;
  job.claimed();
  job.started("install");
  job.step("s1", "install", "install");
  job.tell(event::step_ended, {{"ending", "exited"}, {"workspace_peak_bytes", 5000}}, "s1");
  job.step("s2", "install", "install");
  job.tell(event::step_ended, {{"ending", "exited"}, {"workspace_peak_bytes", 3000}}, "s2");
  job.verdict("success", "");
  const auto items = job.tell(event::job_ended, {{"verdict", "success"}});
  REQUIRE(keys(items).back() == "kv/workspace_peak_bytes");
  CHECK(items.back().body.at("value") == 5000.0);
}

TEST_CASE("expanding an event again gives the same items") {
  StoryBuilder job;
  job.claimed();
  job.started("install");
  job.step("s1", "install", "install");
  const auto before = job.story;
  const auto first = job.cut("s1", "install", 0, 10);
  job::Event again;
  again.type = event::log_cut;
  again.job_id = "job-1";
  again.step_id = "s1";
  again.data = {{"stage", "install"}, {"last", false}};
  again.blobs = {*first.at(0).blob};
  const auto second = expand(again, before, "lab");
  CHECK(second.at(0).key == first.at(0).key);
  CHECK(second.at(0).body == first.at(0).body);
}

TEST_CASE("pieces of a step's output belong to the state of their stage and come in order") {
  StoryBuilder job;
  job.claimed();
  job.started("acquire");
  job.step("s1", "acquire", "download");
  const auto first = job.cut("s1", "acquire", 0, 100);
  const auto second = job.cut("s1", "acquire", 100, 50);
  CHECK(keys(first) == Keys{"log/s1/0"});
  CHECK(first[0].needs == Keys{"job-1/state/pre-run"});
  CHECK(first[0].follows.empty());
  CHECK(body(first[0], "log") == "acquire/acme/download.log");
  CHECK(second[0].follows == Keys{"job-1/log/s1/0"});
  CHECK(job::number_at(second[0].body, "offset") == 100);
  CHECK(second[0].blob->size == 50);

  job.started("install");
  job.step("s2", "install", "install");
  CHECK(job.cut("s2", "install", 0, 1).at(0).needs == Keys{"job-1/state/running"});
  job.step("s3", "install", "install");
  CHECK(body(job.cut("s3", "install", 0, 1).at(0), "log") == "install/acme/install#2.log");

  job.verdict("success");
  job.started("collect");
  const auto verdict = job.ended("collect", "empty");
  CHECK(verdict.at(0).follows == Keys{"job-1/state/post-run", "job-1/log/s1/1", "job-1/log/s2/0", "job-1/log/s3/0"});
  job.started("release");
  job.step("s4", "release", "release");
  CHECK(job.cut("s4", "release", 0, 1).at(0).needs == Keys{"job-1/state/post-run"});
}

TEST_CASE("tasks go to the state of their stage by the names that the server's pages expect, one after the other") {
  StoryBuilder job;
  job.claimed();
  job.started("acquire");
  job.started("install");
  job.step("s1", "install", "install");
  unsigned number = 0;
  const auto task = [&](const std::string& result, std::uint64_t size, boost::json::object more = {}, const std::string& name = "TASK [deploy]") {
    job::Blob blob;
    blob.path = "logs/s1.tasks";
    blob.size = size;
    more.insert({{"stage", "install"}, {"name", name}, {"result", result}, {"task", number++}});
    const auto items = job.tell(job::event::task_ended, std::move(more), "s1", {blob});
    REQUIRE(items.size() == 1);
    return items[0];
  };
  const auto first = task("ok", 10);
  CHECK(keys({first}) == Keys{"task/s1/0"});
  CHECK(body(first, "name") == "TASK [deploy]");
  CHECK(body(first, "mime") == "application/x-ansible-output");
  CHECK(first.needs == Keys{"job-1/state/running"});
  CHECK(first.blob->size == 10);
  const auto second = task("ok", 10);
  CHECK(second.follows == Keys{"job-1/task/s1/0"});
  CHECK(job::number_at(first.body, "alike") == 0);
  CHECK(job::number_at(second.body, "alike") == 1);
  CHECK(job::number_at(task("ok", 11).body, "alike") == 0);

  CHECK(body(task("failed", 1), "name") == "failed/TASK [deploy]");
  CHECK(body(task("interrupted", 1), "name") == "failed/TASK [deploy]");
  CHECK(body(task("unreachable", 1), "name") == "unreachable/TASK [deploy]");
  CHECK(body(task("ignored", 1, {{"warnings", 1}}), "name") == "skipped/TASK [deploy]");
  CHECK(body(task("skipped", 1), "name") == "skipped/TASK [deploy]");
  CHECK(body(task("changed", 1, {{"warnings", 2}}), "name") == "warn/TASK [deploy]");
  CHECK(body(task("failed", 1, {}, "TASK [" + std::string(400, 'x') + "]"), "name").size() == 255);
  const auto silent = task("ok", 0);
  CHECK_FALSE(silent.blob);
  CHECK(body(silent, "content") == " ");

  // Another step in the same state makes files that are alike too; one in another state does not.
  job.started("test");
  job.step("s2", "test", "test");
  job::Blob blob;
  blob.size = 10;
  const boost::json::object same{{"stage", "test"}, {"name", "TASK [deploy]"}, {"result", "ok"}, {"task", 0}};
  CHECK(job::number_at(job.tell(job::event::task_ended, same, "s2", {blob}).at(0).body, "alike") == 2);
  job.verdict("success");
  job.started("collect");
  job.step("s3", "collect", "collect");
  boost::json::object later = same;
  later["stage"] = "collect";
  CHECK(job::number_at(job.tell(job::event::task_ended, later, "s3", {blob}).at(0).body, "alike") == 0);
  CHECK(job.ended("collect", "empty").at(0).follows == Keys{"job-1/state/post-run", "job-1/task/s1/10", "job-1/task/s2/0", "job-1/task/s3/0"});
}

TEST_CASE("results are JUnit files of the job with the name of the event, and the verdict waits for them") {
  StoryBuilder job;
  job.claimed();
  job.started("test");
  job::Blob blob;
  blob.path = "steps/s1/results/t.xml";
  const auto good = job.tell(
      event::result_found,
      {{"name", "test/acme/t"}, {"well_formed", true}, {"total", 3}, {"success", 2}, {"failures", 1}}, "s1", {blob});
  REQUIRE(keys(good) == Keys{"result/test/acme/t"});
  CHECK(body(good[0], "name") == "test/acme/t");
  CHECK(body(good[0], "mime") == "application/junit");
  CHECK(good[0].needs.empty());
  job.verdict("failure", "1 of 3 tests failed");
  job.started("collect");
  const auto verdict = job.ended("collect", "empty").at(0);
  CHECK(verdict.follows == Keys{"job-1/state/post-run", "job-1/result/test/acme/t"});
  CHECK(body(verdict, "comment") == "1 of 3 tests failed; 3 tests: 2 passed, 1 failed, 0 errors, 0 skipped");
}

TEST_CASE(
    "trap: a result that is not well-formed goes as text, with a note, because the server would keep it after its "
    "400") {
  StoryBuilder job;
  job.claimed();
  job::Blob blob;
  blob.path = "x";
  const auto items =
      job.tell(event::result_found,
               {{"name", "test/acme/t"}, {"well_formed", false}, {"problem", "line 3: no element"}}, "s1", {blob});
  REQUIRE(keys(items) == Keys{"result/test/acme/t", "note/result/test/acme/t"});
  CHECK(body(items[0], "mime") == "text/plain");
  CHECK(body(items[1], "content").find("line 3: no element") != std::string::npos);
}

TEST_CASE("artifacts of the same name are told apart, and their type is guessed when nobody gave it") {
  StoryBuilder job;
  job.claimed();
  job::Blob blob;
  blob.path = "x";
  const auto first = job.tell(event::artifact_found, {{"name", "logs/install.log"}}, "s1", {blob});
  const auto second = job.tell(event::artifact_found, {{"name", "logs/install.log"}}, "s2", {blob});
  const auto typed = job.tell(event::artifact_found, {{"name", "x.bin"}, {"mime", "image/png"}}, "s2", {blob});
  CHECK(body(first.at(0), "name") == "logs/install.log");
  CHECK(body(first.at(0), "mime") == "text/plain");
  CHECK(body(second.at(0), "name") == "logs/install.log#2");
  CHECK(body(typed.at(0), "mime") == "image/png");
}

TEST_CASE("durations, tags and the configured key-values become items") {
  StoryBuilder job;
  job.queued({{"key_values", {{"workers", 3}, {"ratio", 0.5}, {"bad", "text"}}}});
  const auto claimed = job.tell(event::claim_granted);
  CHECK(keys(claimed) == Keys{"state/new", "kv/workers", "kv/ratio"});
  CHECK(keys(job.ended("pre-run", "ok", 1500)) == Keys{"kv/stage_pre_run_seconds"});
  CHECK(job.items.back().body.at("value") == 1.5);
  CHECK(job.ended("certify", "empty").empty());
  const auto tagged = job.tell(event::job_tagged, {{"tag", "cluster:four"}});
  CHECK(keys(tagged) == Keys{"tag/cluster:four"});
}

TEST_CASE("what a step took becomes key-values, as far as it was measured") {
  StoryBuilder job;
  job.claimed();
  job.started("install");
  job.step("install.acme-storage.10-a", "install", "install.d/10-a");
  const auto end = job.tell(event::step_ended, {{"stage", "install"}, {"figures", {{"cpu_us", 2'500'000}, {"memory_peak", 3 << 20}, {"tasks_peak", 7}}}},
                            "install.acme-storage.10-a");
  CHECK(keys(end) == Keys{"kv/step_install_acme_storage_10_a_cpu_seconds", "kv/step_install_acme_storage_10_a_memory_peak_mib",
                          "kv/step_install_acme_storage_10_a_tasks_peak"});
  CHECK(end.at(0).body.at("value") == 2.5);
  CHECK(end.at(1).body.at("value") == 3.0);
  CHECK(end.at(2).body.at("value") == 7.0);
  CHECK(job.tell(event::step_ended, {{"stage", "install"}, {"figures", boost::json::object{}}}, "install.acme-storage.10-a").empty());
  CHECK(job.tell(event::step_ended, {{"stage", "install"}}, "install.acme-storage.10-a").empty());
}

TEST_CASE("warnings are part of the verdict's comment, and notes when they come after it") {
  StoryBuilder job;
  job.claimed();
  job.started("install");
  CHECK(job.tell(event::job_warning, {{"stage", "install"}, {"message", "2 processes were left"}}).empty());
  job.verdict("success");
  job.started("collect");
  CHECK(body(job.ended("collect", "empty").at(0), "comment") == "everything passed; 1 warning: 2 processes were left");
  const auto late = job.tell(event::job_warning, {{"stage", "release"}, {"message", "power is still on"}});
  REQUIRE(keys(late) == Keys{"note/warning/2"});
  CHECK(body(late[0], "content") == "release: power is still on\n");
}

TEST_CASE("a job that another source claimed, or that nobody did, is not reported") {
  StoryBuilder job;
  job.queued();
  CHECK(job.started("acquire").empty());
  CHECK(job.tell(event::job_withdrawn, {{"reason", "newer"}}).empty());
  StoryBuilder other;
  other.claimed();
  job::Event event;
  event.type = event::stage_started;
  event.job_id = "job-1";
  event.data = {{"stage", "install"}};
  CHECK(expand(event, other.story, "lab").size() == 1);
  CHECK(expand(event, other.story, "another").empty());
}

TEST_CASE("strings from outside are made fit for the server") {
  StoryBuilder job;
  job.claimed();
  job.started("install");
  job.verdict("error", "line\nbreak \xFF " + std::string(2000, 'x'));
  job.started("collect");
  const auto comment = body(job.ended("collect", "empty").at(0), "comment");
  CHECK(comment.starts_with("line\\nbreak \\xff "));
  CHECK(comment.size() <= 1003);
}

TEST_CASE("nothing of a job's document reaches an item") {
  StoryBuilder job;
  job.queued();
  job.tell(event::claim_granted, {{"document", {{"remoteci", {{"api_secret", "the-secret"}}}}}});
  job.started("acquire");
  job.verdict("success");
  job.started("collect");
  job.ended("collect");
  for (const auto& item : job.items) CHECK(boost::json::serialize(item.body).find("the-secret") == std::string::npos);
}

}  // namespace
}  // namespace outpost::dci
