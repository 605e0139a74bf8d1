#include "agent/cli/job_page.hpp"
#include "agent/config/key_help.hpp"
#include "support/catch.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>

using namespace outpost;
using outpost::test::holds;

namespace {

boost::json::object job() {
  return boost::json::parse(
             R"({"job_id": "01a2", "name": "<script>alert(1)</script>", "state": "failure", "topic": "OCP",
    "components": [{"type": "ocp", "name": "OCP & co"}], "queued_at": "2026-11-26T10:00:00Z",
    "judgement": {"verdict": "failure", "reason": "tests-failed", "message": "1 of 2 \"cases\" failed"},
    "tests": {"total": 2, "success": 1, "failures": 1, "errors": 0, "skips": 0},
    "stages": [{"stage": "install", "outcome": "ok", "started_at": "2026-11-26T10:00:00Z", "ended_at": "2026-11-26T10:00:30Z"},
               {"stage": "test", "outcome": "failed", "started_at": "2026-11-26T10:00:30Z", "ended_at": "2026-11-26T10:01:00Z"}],
    "steps": [{"step_id": "test.acme", "state": "exit 1", "log_bytes": 12, "started_at": "2026-11-26T10:00:30Z", "ended_at": "2026-11-26T10:01:00Z"}],
    "skipped": [{"stage": "install", "plugin": "acme", "hook": "install/10-disk", "reason": "topic: <OCP> matches none of RHEL-*"}],
    "results": ["acme"], "artifacts": ["logs.tar.gz"], "warnings": ["no \u001b[31m colours"]})")
      .as_object();
}

}  // namespace

TEST_CASE("the page of a job has everything, and nothing of it is markup or fetched") {
  const std::string page = cli::job_page(job(), {{"test.acme", "<b>bold</b>\n\x1b[2Jgone\n", true}});
  for (const char* wanted : {"tests-failed", "1 of 2 &quot;cases&quot; failed", "OCP &amp; co",
                             "&lt;script&gt;alert(1)", "&lt;b&gt;bold&lt;/b&gt;", "\\x1b[2Jgone",
                             "left:50.0%;width:50.0%", "install.acme / install/10-disk", "skipped: topic: &lt;OCP&gt; matches none of RHEL-*", "logs.tar.gz", "default-src 'none'", "2: 1 passed, 1 failed"})
    CHECK_THAT(page, holds(wanted));
  for (const char* unwanted : {"<script", "<b>", "\x1b", "src=", "http-equiv=\"refresh", "@import", "url("}) {
    INFO(unwanted);
    CHECK(page.find(unwanted) == std::string::npos);
  }
}

TEST_CASE("the page of a job that has only begun is a page too") {
  const std::string page = cli::job_page({{"job_id", "1"}, {"name", "n"}, {"state", "waiting"}}, {});
  CHECK(page.find("<h2>") == std::string::npos);
  CHECK(page.ends_with("</html>\n"));
}

TEST_CASE("what outpost.yml(5) says of a key is found by path and by its end") {
  const auto timeout = config::help_for("jobs.nightly.timeout");
  REQUIRE(timeout.size() == 1);
  CHECK(timeout[0].path == "jobs.NAME.timeout");
  CHECK(timeout[0].kind == "duration from 1s to 30d, default 24h");
  CHECK_FALSE(timeout[0].text.empty());
  CHECK(config::help_for("jobs.timeout").size() == 1);
  CHECK(config::help_for("keep_free").size() == 1);
  CHECK(config::help_for("url").size() > 1);
  CHECK(config::help_for("slots")[0].kind == "1 to 63, default 1");
  CHECK(config::help_for("timeouts").empty());
  for (const auto& key : config::all_key_help()) {
    INFO(key.path << ": " << key.text);
    CHECK(key.path.find_first_not_of("abcdefghijklmnopqrstuvwxyz_.NAME") == std::string::npos);
    CHECK(key.text.find('\\') == std::string::npos);
  }
}

TEST_CASE("the schema of outpost.yml knows every key in its place") {
  const auto schema = config::schema_of_configuration();
  const auto& job = schema.at("properties").at("jobs").at("items");
  CHECK(schema.at("properties").at("jobs").at("type") == "array");
  CHECK(job.at("properties").as_object().contains("timeout"));
  CHECK(job.at("properties").at("limits").at("properties").as_object().contains("memory"));
  CHECK(schema.at("properties").at("slots").at("type") == "integer");
  CHECK(schema.at("properties").at("sources").at("additionalProperties").at("properties").as_object().contains("poll"));
  const auto& required = job.at("required").as_array();
  CHECK(std::count(required.begin(), required.end(), "plugins") == 1);
}
