#include "pipeline/runner_world.hpp"

#include "agent/pipeline/previous_job.hpp"

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;

namespace {

/// A journal with jobs that have left results.
struct History {
  boost::asio::io_context loop;
  FakeJournal journal;

  void add(std::string_view type, const std::string& id, boost::json::object data, std::optional<job::Claim> claim = {}, std::vector<job::Blob> blobs = {}) {
    job::Event event;
    event.type = type;
    event.job_id = id;
    event.data = std::move(data);
    event.claim = std::move(claim);
    event.blobs = std::move(blobs);
    std::vector<job::Event> drafts{event};
    REQUIRE(await(loop, journal.append(std::move(drafts))));
  }

  void job(const std::string& id, const job::Definition& definition, bool claimed = true) {
    add(event::job_queued, id, {{"definition", to_json(definition)}});
    if (!claimed) return;
    add(event::claim_granted, id, {{"claim_id", "c"}}, job::Claim{.source = "dci", .external_ref = "remote-" + id});
    add(event::result_found, id, {{"name", "unit"}}, {}, {{.path = "steps/" + id + "/unit.xml"}});
  }

  /// The id of the job that this one is compared with; "" when there is none.
  std::string before(const std::string& id) {
    const auto found = pipeline::find_previous_results(journal, job::replay(*journal.read({.job_id = id})), "/jobs");
    REQUIRE(found);
    return *found ? (*found)->job_id : "";
  }
};

const job::Definition nightly{.name = "nightly", .source = "dci", .topic = "T", .configuration = "c", .url = "u"};

}  // namespace

TEST_CASE("a job is compared with the newest earlier one that the server takes for the same") {
  History history;
  history.job("1", nightly);
  history.job("2", nightly);
  history.job("3", nightly);
  CHECK(history.before("1").empty());
  CHECK(history.before("2") == "1");
  CHECK(history.before("3") == "2");
  const auto found = pipeline::find_previous_results(history.journal, job::replay(*history.journal.read({.job_id = "3"})), "/jobs");
  CHECK((*found)->directory == "/jobs/2");
  CHECK((*found)->files == std::map<std::string, std::string>{{"unit", "steps/2/unit.xml"}});
}

TEST_CASE("jobs that differ in what the server goes by, or that it never had, are passed over") {
  History history;
  history.job("1", nightly);
  auto other = nightly;
  other.name = "weekly";
  history.job("2", other);
  other = nightly;
  other.topic = "U";
  history.job("3", other);
  other = nightly;
  other.source = "elsewhere";
  history.job("4", other);
  other = nightly;
  other.configuration = "d";
  history.job("5", other);
  other = nightly;
  other.url = "v";
  history.job("6", other);
  history.job("7", nightly, false);
  other = nightly;
  other.comment = "another";
  history.job("8", other);
  CHECK(history.before("8") == "1");
}

TEST_CASE("what is different from the job before is journaled with each result") {
  RunnerWorld world{nightly};
  world.collector.left["test.acme"] = results(1);
  world.run();
  REQUIRE(world.collector.compared.empty());  // There was none before.
  auto found = *world.journal.read({.types = {std::string{event::result_found}}});
  CHECK_FALSE(found.front().data.contains("comparison"));

  job::Event queued;
  queued.type = event::job_queued;
  queued.job_id = "job-2";
  queued.data = {{"definition", to_json(nightly)}, {"components", {to_json(job::Component{.id = "d", .type = "ocp"})}}, {"reporters", {"fake"}}};
  std::vector<job::Event> drafts{queued};
  REQUIRE(await(world.loop, world.journal.append(std::move(drafts))));
  pipeline::JobRunner next{{world.journal, world.source, world.steps, world.collector, world.workers, world.clock}, world.options(),
                           job::replay(*world.journal.read({.job_id = "job-2"}))};
  await(world.loop, RunnerWorld::finish(next));
  REQUIRE(world.collector.compared.size() == 1);
  CHECK(world.collector.compared[0].job_id == "job-1");
  found = *world.journal.read({.job_id = "job-2", .types = {std::string{event::result_found}}});
  REQUIRE(found.size() == 1);
  const auto& comparison = found[0].data.at("comparison").as_object();
  CHECK(job::text_at(comparison, "job") == "job-1");
  CHECK(job::number_at(comparison, "regressions") == 1);
  CHECK(job::texts_at(comparison, "regressed") == std::vector<std::string>{"s:c:t"});
}
