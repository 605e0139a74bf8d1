// outpost spool: what waits for a server while it has trouble.
#include "cli/command_lab.hpp"
#include "support/catch.hpp"

#include "agent/job/event.hpp"

namespace {

using namespace outpost;
using namespace outpost::test;
using job::number_at;
using job::text_at;

/// A lab whose server takes no files until it may, with a job that has left many.
struct ClosedLab : CommandLab {
  ClosedLab() {
    hook("install",
         "#!/bin/sh\nfor n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $n >$OUTPOST_ARTIFACTS/part-$n.txt; done\n");
    set_faults(R"([{"method": "POST", "path": "/api/v1/files", "status": 503}])");
    feed("1.0", {});
    start_agent();
    until("the job to end, with files left", [&] { return agent_is_up() && ended() && waiting() >= 12; });
  }
  bool ended() {
    const auto jobs = local("/api/v1/jobs").at("jobs").as_array();
    return !jobs.empty() && !text_at(jobs.at(0).as_object(), "ended_at").empty();
  }
  std::int64_t waiting() { return reporter().at("waiting").as_int64(); }
  boost::json::object reporter() { return local("/api/v1/spool").at("spool").at("reporters").at(0).as_object(); }
};

}  // namespace

TEST_CASE("what waits for a server is seen, and tried when somebody asks for it", "[cli]") {
  ClosedLab lab;
  lab.until("the trouble to be known", [&] { return !text_at(lab.reporter(), "last_error").empty(); });
  REQUIRE(lab.outpost({"spool", "status"}) == 0);
  CHECK_THAT(lab.said,
             holds("dci  http://127.0.0.1") && holds(" waiting (") && holds(", the oldest for ") && holds("503"));
  REQUIRE(lab.outpost({"spool", "status", "--json"}) == 0);
  CHECK(lab.json().at("schema") == "outpost-spool");
  CHECK_FALSE(lab.json().at("reporters").at(0).at("oldest").is_null());
  REQUIRE(lab.outpost({"spool", "list", "dci"}) == 0);
  CHECK_THAT(lab.said, holds("for dci:") && holds("part-7.txt") && holds("tried "));
  REQUIRE(lab.outpost({"spool", "list", "--json", "--limit", "3"}) == 0);
  CHECK(lab.json().at("items").as_array().size() == 3);
  CHECK(lab.json().at("more").as_bool());
  CHECK(text_at(lab.json().at("items").at(0).as_object(), "reporter") == "dci");
  REQUIRE(lab.outpost({"spool", "list", "--job", "nothing-begins-so"}) == 0);
  CHECK_THAT(lab.said, holds("nothing waits"));
  const std::string archive = (lab.directory.path / "archive").string(), receipt = archive + ".receipt";
  REQUIRE(lab.outpost({"spool", "export", "--json", archive}) == 0);
  CHECK(lab.json().at("schema") == "outpost-spool-export");
  CHECK(number_at(lab.json().as_object(), "items") >= 12);
  CHECK(lab.outpost({"spool", "export", "--json", "-"}) == 2);
  CHECK(lab.outpost({"spool", "list", "nobody"}) == 1);
  CHECK(lab.outpost({"spool", "flush", "nobody"}) == 1);
  CHECK(lab.outpost({"spool", "flush", "--timeout", "10ms"}) == 1);
  CHECK_THAT(lab.said, holds("still wait; outpost spool status says why"));
  CHECK(lab.outpost({"spool", "flush", "--timeout", "soon"}) == 2);

  lab.set_faults("[]");
  REQUIRE(lab.outpost({"spool", "flush", "--wait"}) == 0);
  CHECK_THAT(lab.said, holds("nothing waits any more"));
  REQUIRE(lab.outpost({"spool", "list"}) == 0);
  CHECK_THAT(lab.said, holds("nothing waits"));

  REQUIRE(lab.outpost({"spool", "import", "--json", "--receipt", receipt, archive}) == 0);
  CHECK(lab.json().at("schema") == "outpost-spool-import");
  CHECK(lab.json().at("found").as_int64() >= 12);
  CHECK(lab.json().at("not_taken").as_array().empty());
  REQUIRE(lab.outpost({"spool", "confirm", "--json", receipt}) == 0);
  CHECK(lab.json().at("schema") == "outpost-spool-confirm");
}

TEST_CASE("what waits is given up only when that was said, and what is delivered goes", "[cli]") {
  ClosedLab lab;
  CHECK(lab.outpost({"spool", "prune"}) == 0);
  CHECK_THAT(lab.said, holds("removed: 0 jobs"));  // Not all is delivered.
  CHECK(lab.outpost({"spool", "prune", "--waiting", "--older-than", "1h", "--dry-run"}) == 0);
  CHECK_THAT(lab.said, holds("would go: 0 items"));
  CHECK(lab.outpost({"spool", "prune", "--reporter", "dci"}) == 2);
  CHECK(lab.outpost({"spool", "prune", "--older-than", "old"}) == 2);
  CHECK(lab.outpost({"spool", "prune", "--waiting"}) == 1);
  CHECK_THAT(lab.said, holds("that no server has? If that is what you want, say --yes"));
  const auto before = lab.waiting();
  REQUIRE(lab.outpost({"spool", "prune", "--waiting", "--yes", "--json"}) == 0);
  CHECK(lab.json().at("schema") == "outpost-spool-prune");
  CHECK(number_at(lab.json().as_object(), "items") > 0);
  CHECK(lab.waiting() == before);  // Gap markers wait in their places.

  lab.set_faults("[]");
  REQUIRE(lab.outpost({"spool", "flush", "--wait"}) == 0);
  const std::string job = text_at(lab.finished_job(), "id");
  bool marked = false;
  for (const auto& file : lab.files(job))
    marked = marked || lab.content(text_at(file, "id")).find("given up by an operator") != std::string::npos;
  CHECK(marked);
  CHECK(text_at(lab.finished_job(), "status") == "success");
  REQUIRE(lab.outpost({"spool", "prune", "--dry-run"}) == 0);
  CHECK_THAT(lab.said, holds("would go: 1 job ("));
  // The whole history goes only when that was said.
  CHECK(lab.outpost({"spool", "prune"}) == 1);
  CHECK_THAT(lab.said, holds("Remove the whole history, 1 job (") && holds("say --yes, or which ones with --older-than"));
  CHECK(lab.local("/api/v1/jobs").at("jobs").as_array().size() == 1);
  REQUIRE(lab.outpost({"spool", "prune", "--older-than", "1s", "--dry-run"}) == 0);
  REQUIRE(lab.outpost({"spool", "prune", "--yes"}) == 0);
  CHECK_THAT(lab.said, holds("removed: 1 job ("));
  CHECK(lab.local("/api/v1/jobs").at("jobs").as_array().empty());
}
