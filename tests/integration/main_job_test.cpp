// The main job, end to end: the real outpostd against the sample control server.

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "integration/sample_lab.hpp"
#include "support/catch.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <map>
#include <set>
#include <stdexcept>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace outpost;
using namespace outpost::test;
using job::number_at;
using job::text_at;

std::string suite(const std::string& cases) { return "<testsuite name=\"acme\">" + cases + "</testsuite>"; }
const std::string good_case = R"(<testcase classname="storage" name="mounts" time="0.5"/>)";
const std::string bad_case =
    R"(<testcase classname="storage" name="mounts" time="0.5"><failure message="no">it does not</failure></testcase>)";
const std::string other_case = R"(<testcase classname="storage" name="reads" time="0.25"/>)";

/// The file of that name at the server; there must be exactly one.
json::object file_named(SampleLab& lab, const std::string& job, const std::string& name) {
  std::vector<json::object> found;
  for (auto& file : lab.files(job))
    if (text_at(file, "name") == name) found.push_back(std::move(file));
  if (found.size() != 1) throw std::runtime_error{std::to_string(found.size()) + " files are called " + name};
  return found.front();
}

}  // namespace

TEST_CASE("A component that appears is downloaded, installed, certified and tested, and the server has all of it",
          "[job]") {
  SampleLab lab;
  lab.hook("acquire", "#!/bin/sh\necho acquired\n");
  lab.hook("pre-run", "#!/bin/sh\ncat \"$OUTPOST_COMPONENT_ACME_PATH/notes.txt\"\n");
  lab.hook("install", "#!/bin/sh\nseq 1 30000\necho to stderr >&2\nprintf 'without an end'\n");
  lab.hook("certify.d/10-rpm",
           "#!/bin/sh\necho rpm\nprintf '%s' '" + suite(good_case) + "' > \"$OUTPOST_RESULTS/rpm.xml\"\n");
  lab.hook("certify.d/20-elf", "#!/bin/sh\necho elf\n");
  lab.hook("test", "#!/bin/sh\nprintf '%s' '" + suite(good_case + other_case) +
                       "' > \"$OUTPOST_RESULTS/acme.xml\"\n"
                       "head -c 100000 /dev/zero | tr '\\0' x > \"$OUTPOST_ARTIFACTS/core.bin\"\nmkdir "
                       "\"$OUTPOST_ARTIFACTS/sos\"\nprintf report > \"$OUTPOST_ARTIFACTS/sos/report.txt\"\n");
  lab.hook("collect", "#!/bin/sh\necho \"so far $OUTPOST_RESULT_SO_FAR\"\n");
  lab.hook("cleanup", "#!/bin/sh\necho clean\n");
  lab.configure(
      "    tags: [nightly]\n    comment: the lab's own words\n    configuration: cluster4\n    url: "
      "https://ci.example.org/1\n    key_values: {nodes: 3}\n");
  const std::string component =
      lab.feed("1.0", {{"notes.txt", "read me\n"}, {"repo/data.bin", std::string(50'000, 'd')}});
  lab.start_agent();
  const auto job = lab.finished_job();
  const std::string id = text_at(job, "id");

  SECTION("as states in order, each with a comment and once") {
    CHECK(lab.states(id) == good_way);
    for (const auto& state : lab.jobstates(id)) CHECK_FALSE(text_at(state, "comment").empty());
    CHECK_THAT(text_at(lab.jobstates(id).back(), "comment"), holds("3 tests: 3 passed, 0 failed"));
    CHECK(text_at(job, "status") == "success");
  }
  SECTION("as logs, byte for byte") {
    std::string installed;
    for (int n = 1; n <= 30'000; ++n) installed += std::to_string(n) + "\n";
    CHECK(lab.log_of(id, "install/acme/install") == installed + "to stderr\nwithout an end");
    CHECK(lab.log_of(id, "acquire/acme/acquire") == "acquired\n");
    CHECK(lab.log_of(id, "pre-run/acme/pre-run") == "read me\n");
    CHECK(lab.log_of(id, "certify/acme/certify.d/10-rpm") == "rpm\n");
    CHECK(lab.log_of(id, "certify/acme/certify.d/20-elf") == "elf\n");
    CHECK(lab.log_of(id, "collect/acme/collect") == "so far success\n");
    CHECK(lab.log_of(id, "cleanup/acme/cleanup") == "clean\n");
    CHECK_THAT(lab.log_of(id, "pre-run/outpost/download"), holds("2 files, 48.8 KiB"));
  }
  SECTION("with each log at the state in which its stage was") {
    std::map<std::string, std::string> status_of;
    for (const auto& state : lab.jobstates(id)) status_of[text_at(state, "id")] = text_at(state, "status");
    for (const auto& file : lab.files(id)) {
      const std::string name = text_at(file, "name"), status = status_of[text_at(file, "jobstate_id")];
      if (name.starts_with("acquire/") || name.starts_with("pre-run/"))
        CHECK(status == "pre-run");
      else if (name.starts_with("install/") || name.starts_with("certify/acme/certify.d/10-rpm.log"))
        CHECK(status == "running");
      else if (name.starts_with("collect/") || name.starts_with("cleanup/"))
        CHECK(status == "post-run");
    }
  }
  SECTION("as test results that it has counted") {
    const auto results = lab.results(id);
    REQUIRE(results.size() == 2);
    std::map<std::string, std::int64_t> totals;
    for (const auto& result : results) {
      totals[std::string{result.at("name").as_string()}] = result.at("total").as_int64();
      CHECK(result.at("failures").as_int64() == 0);
    }
    CHECK(totals ==
          std::map<std::string, std::int64_t>{{"certify/acme/certify.d/10-rpm/rpm", 1}, {"test/acme/acme", 2}});
    const auto file = file_named(lab, id, "test/acme/acme");
    CHECK(text_at(file, "mime") == "application/junit");
    CHECK(lab.content(text_at(file, "id")) == suite(good_case + other_case));
  }
  SECTION("with its artifacts") {
    const auto core = file_named(lab, id, "core.bin");
    CHECK(number_at(core, "size") == 100'000);
    CHECK(lab.content(text_at(core, "id")) == std::string(100'000, 'x'));
    CHECK(lab.content(text_at(file_named(lab, id, "sos/report.txt"), "id")) == "report");
  }
  SECTION("with what the configuration says about it, and what it was made of") {
    CHECK(text_at(job, "name") == "nightly");
    CHECK(text_at(job, "comment") == "the lab's own words");
    CHECK(text_at(job, "configuration") == "cluster4");
    CHECK(text_at(job, "url") == "https://ci.example.org/1");
    const auto tags = job::texts_at(job, "tags");
    REQUIRE(tags.size() == 2);
    CHECK(tags[0] == "nightly");
    CHECK(tags[1].starts_with("outpost:"));
    CHECK(tags[1].size() == std::string{"outpost:"}.size() + 36);
    const auto row = lab.admin("GET", "/jobs/" + id);
    REQUIRE(row.at("job").at("components").as_array().size() == 1);
    CHECK(row.at("job").at("components").at(0).at("id").as_string() == component.c_str());
    const auto values = lab.key_values(id);
    CHECK(values.at("nodes") == 3);
    CHECK(values.at("steps") == 9);
    for (const auto* key : {"stage_acquire_seconds", "stage_pre_run_seconds", "stage_install_seconds",
                            "stage_certify_seconds", "stage_test_seconds", "job_seconds"})
      CHECK(values.contains(key));
    CHECK_FALSE(values.contains("stage_release_seconds"));  // It had nothing to do.
  }
  SECTION("and the agent keeps nothing of the workspace and has no alarm") {
    const auto status = lab.status();
    CHECK(status.at("alarms").as_array().empty());
    CHECK(text_at(status, "state") == "idle");
    CHECK(number_at(status.at("reporters").at(0).as_object(), "parked") == 0);
    const auto local = fs::directory_iterator{lab.directory.path / "agent/state/jobs"} -> path();
    CHECK_FALSE(fs::exists(local / "workspace"));
    CHECK_FALSE(fs::exists(local / "components"));
  }
  SECTION("and the next component is compared with it") {
    lab.hook("test", "#!/bin/sh\nprintf '%s' '" + suite(bad_case + other_case) + "' > \"$OUTPOST_RESULTS/acme.xml\"\n");
    lab.feed("1.1", {{"notes.txt", "newer\n"}});
    const auto next = lab.finished_job(2);
    const std::string next_id = text_at(next, "id");
    CHECK(text_at(next, "previous_job_id") == id);
    // The hook exits with 0: what it wrote decides.
    CHECK(lab.states(next_id) == Names{"new", "pre-run", "running", "post-run", "failure"});
    CHECK_THAT(text_at(lab.jobstates(next_id).back(), "comment"), holds("1 of 2 cases failed") && holds("mounts"));
    std::int64_t regressions = 0;
    for (const auto& result : lab.results(next_id))
      if (result.at("name").as_string() == "test/acme/acme") regressions = result.at("regressions").as_int64();
    CHECK(regressions == 1);
    CHECK(lab.states(id) == good_way);
  }
}

TEST_CASE("A step that fails in install makes the job a failure, and the closing stages know why", "[job]") {
  SampleLab lab;
  lab.hook("install", "#!/bin/sh\necho cannot\nexit 1\n");
  lab.hook("test", "#!/bin/sh\necho never\n");
  lab.hook("collect",
           "#!/bin/sh\necho \"$OUTPOST_REASON $OUTPOST_RESULT_SO_FAR $OUTPOST_FAILED_POINT $OUTPOST_FAILED_PLUGIN "
           "$OUTPOST_EXIT_STATUS\"\n");
  lab.feed("1.0", {{"a", "a"}});
  lab.start_agent();
  const std::string id = text_at(lab.finished_job(), "id");
  CHECK(lab.states(id) == Names{"new", "pre-run", "running", "post-run", "failure"});
  CHECK_THAT(text_at(lab.jobstates(id).back(), "comment"), holds("install: acme/install exited with status 1"));
  CHECK(lab.log_of(id, "install/acme/install") == "cannot\n");
  CHECK(lab.log_of(id, "test/acme/test").empty());
  CHECK(lab.log_of(id, "collect/acme/collect") == "prior-failure failure install acme 1\n");
  CHECK(job::texts_at(lab.jobs().front(), "tags").back() == "reason:step-failed");
}

TEST_CASE("The server shows a step's log while the step runs, in pieces whose order is the log", "[job]") {
  SampleLab lab;
  const fs::path go = lab.directory.path / "go";
  lab.hook("install", "#!/bin/sh\necho first\n" + wait_for_file(go) + "echo second\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the job", [&] { return lab.jobs().size() == 1; });
  const std::string id = text_at(lab.jobs().front(), "id");
  lab.until("the first piece", [&] { return lab.log_of(id, "install/acme/install") == "first\n"; });
  write_file(go, "");
  lab.finished_job();
  CHECK(lab.log_of(id, "install/acme/install") == "first\nsecond\n");
  Names pieces;
  for (const auto& file : lab.files(id))
    if (text_at(file, "name").starts_with("install/")) pieces.push_back(text_at(file, "name"));
  CHECK(pieces == Names{"install/acme/install.log@000000000000", "install/acme/install.log@000000000006"});
}

TEST_CASE("A lab that cannot be acquired is an error, and the product is never blamed", "[job]") {
  SampleLab lab;
  lab.hook("acquire", "#!/bin/sh\nexit 1\n");
  lab.hook("install", "#!/bin/sh\necho never\n");
  lab.hook("release", "#!/bin/sh\necho released\n");
  lab.feed("1.0", {{"a", "a"}});
  lab.start_agent();
  const std::string id = text_at(lab.finished_job(), "id");
  CHECK(lab.states(id) == Names{"new", "pre-run", "post-run", "error"});
  CHECK(lab.log_of(id, "install/acme/install").empty());
  CHECK(lab.log_of(id, "release/acme/release") == "released\n");
}

TEST_CASE("A hook sees the documented environment and nothing else", "[job]") {
  SampleLab lab;
  lab.hook("install",
           "#!/bin/sh\nenv > \"$OUTPOST_ARTIFACTS/environment\"\ncat \"$OUTPOST_JOB_JSON\" > "
           "\"$OUTPOST_ARTIFACTS/job.json\"\npwd > \"$OUTPOST_ARTIFACTS/pwd\"\n");
  write_file(lab.directory.path / "plugins/acme/plugin.yml",
             "{apiVersion: outpost/v1, name: acme, version: 2.3.1, compat: [dci]}\n");
  lab.configure("    resources: [cluster4]\n", "resources: {cluster4: {hosts: [10.0.0.4]}}\n");
  const std::string component = lab.feed("1.0", {{"a", "a"}});
  lab.start_agent({"LAB_PASSWORD=hunter2", "http_proxy=http://proxy.example.org:3128", "no_proxy=127.0.0.1"});
  const std::string id = text_at(lab.finished_job(), "id");

  std::map<std::string, std::string> variables;
  for (const auto& line : split(lab.content(text_at(file_named(lab, id, "environment"), "id")), '\n'))
    if (const auto equal = line.find('='); equal != std::string::npos)
      variables[line.substr(0, equal)] = line.substr(equal + 1);
  const std::set<std::string> documented{"OUTPOST",
                                         "OUTPOST_API",
                                         "OUTPOST_API_MINOR",
                                         "OUTPOST_VERSION",
                                         "OUTPOST_POINT",
                                         "OUTPOST_REASON",
                                         "OUTPOST_ATTEMPT",
                                         "OUTPOST_MAX_ATTEMPTS",
                                         "OUTPOST_REBOOT_COUNT",
                                         "OUTPOST_DEADLINE",
                                         "OUTPOST_TIMEOUT",
                                         "OUTPOST_GRACE",
                                         "OUTPOST_PLUGIN",
                                         "OUTPOST_PLUGIN_DIR",
                                         "OUTPOST_PLUGIN_VERSION",
                                         "DCI_JOB_ID",
                                         "DCI_CS_URL",
                                         "OUTPOST_LOG_LEVEL",
                                         "NO_COLOR",
                                         "OUTPOST_JOB_ID",
                                         "OUTPOST_LOCAL_JOB_ID",
                                         "OUTPOST_JOB_NAME",
                                         "OUTPOST_JOB_URL",
                                         "OUTPOST_TEAM_ID",
                                         "OUTPOST_REMOTECI_ID",
                                         "OUTPOST_TOPIC",
                                         "OUTPOST_JOB_JSON",
                                         "OUTPOST_RESOURCES",
                                         "OUTPOST_COMPONENTS",
                                         "OUTPOST_COMPONENT_ACME_VERSION",
                                         "OUTPOST_COMPONENT_ACME_URL",
                                         "OUTPOST_COMPONENT_ACME_PATH",
                                         "OUTPOST_WORKSPACE",
                                         "OUTPOST_STATE",
                                         "OUTPOST_SHARED",
                                         "OUTPOST_TMP",
                                         "OUTPOST_ARTIFACTS",
                                         "OUTPOST_RESULTS",
                                         "OUTPOST_SOCKET",
                                         "OUTPOST_LIB",
                                         "HOME",
                                         "TMPDIR",
                                         "TRACEPARENT",
                                         "PATH",
                                         "CI",
                                         "LANG",
                                         "TZ",
                                         "http_proxy",
                                         "no_proxy",
                                         "PWD",
                                         "SHLVL",
                                         "_",
                                         "OLDPWD"};  // The last four are the shell's own.
  for (const auto& [name, value] : variables) {
    INFO(name << "=" << value);
    CHECK(documented.contains(name));
  }
  CHECK(variables["OUTPOST_JOB_ID"] == id);
  CHECK(variables["OUTPOST_POINT"] == "install");
  CHECK(variables["OUTPOST_REASON"] == "normal");
  CHECK(variables["OUTPOST_ATTEMPT"] == "1");
  CHECK(variables["OUTPOST_TOPIC"] == "ACME-1");
  CHECK(variables["OUTPOST_TEAM_ID"] == lab.team);
  CHECK(variables["OUTPOST_JOB_URL"].find(id) != std::string::npos);
  CHECK(variables["DCI_JOB_ID"] == id);
  CHECK(variables["DCI_CS_URL"] == lab.url);
  CHECK(variables["OUTPOST_REMOTECI_ID"] == lab.remoteci);
  CHECK(variables["OUTPOST_COMPONENT_ACME_VERSION"] == "1.0");
  CHECK(variables["OUTPOST_RESOURCES"] == R"({"cluster4":{"hosts":["10.0.0.4"]}})");
  CHECK(variables["http_proxy"] == "http://proxy.example.org:3128");
  CHECK(std::string{trim(lab.content(text_at(file_named(lab, id, "pwd"), "id")))} == variables["OUTPOST_WORKSPACE"]);

  const std::string document = lab.content(text_at(file_named(lab, id, "job.json"), "id"));
  const auto described = json::parse(document);
  CHECK(text_at(described.as_object(), "id") == id);
  // As the server has it, and as playbooks for its agents look for it.
  CHECK(text_at(described.at("topic").as_object(), "name") == "ACME-1");
  CHECK(text_at(described.at("topic").as_object(), "id") == lab.topic);
  CHECK(text_at(described.at("components").at(0).as_object(), "display_name") == text_at(lab.admin("GET", "/components/" + component).at("component").as_object(), "display_name"));
  CHECK(document.find("secret") == std::string::npos);
  CHECK(document.find(lab.secret) == std::string::npos);
}

TEST_CASE("A hook that prints the api_secret does not bring it to the server", "[job]") {
  SampleLab lab;
  const std::string encoded = to_base64(lab.secret);
  const std::string core = encoded.substr(0, encoded.size() - 4);  // The end of base64 depends on what follows.
  lab.hook("install", "#!/bin/sh\necho 'the secret is " + lab.secret + " indeed'\nprintf '%s' '" +
                          lab.secret.substr(0, 20) + "'; sleep 0.1; echo '" + lab.secret.substr(20) +
                          "'\n"
                          "printf '%s' '" +
                          lab.secret + "' | base64 -w0\necho\nprintf 'user:%s' '" + lab.secret +
                          "' | base64 -w0\necho\necho harmless\n");
  lab.feed("1.0", {{"a", "a"}});
  lab.start_agent();
  const std::string id = text_at(lab.finished_job(), "id");
  CHECK_THAT(lab.log_of(id, "install/acme/install"),
             holds("the secret is ") && holds(" indeed\n") && holds("harmless\n"));
  for (const auto& file : lab.files(id)) {
    const std::string content = lab.content(text_at(file, "id"));
    INFO(text_at(file, "name"));
    CHECK(content.find(lab.secret) == std::string::npos);
    CHECK(content.find(core) == std::string::npos);
    CHECK(content.find(to_base64("user:" + lab.secret).substr(8, 60)) == std::string::npos);
  }
  CHECK(lab.agent_log().find(lab.secret) == std::string::npos);
  CHECK(json::serialize(lab.local("/api/v1/jobs")).find(lab.secret) == std::string::npos);
}

TEST_CASE("outpost status tells what the daemon does, for people and for programs", "[job]") {
  SampleLab lab;
  const fs::path running = lab.directory.path / "running", go = lab.directory.path / "go";
  lab.hook("install", waiting_hook(running, go));
  lab.feed("1.0", {});
  const auto run = [&](Names arguments) {
    arguments.insert(arguments.begin(),
                     {OUTPOST_COMMAND, "status", "--config", (lab.directory.path / "agent/outpost.yml").string()});
    fs::remove(lab.directory.path / "status.out");
    Process command{arguments, lab.directory.path / "status.out"};
    return command.wait();
  };
  CHECK(run({}) != 0);  // No daemon.
  CHECK_THAT(read_file(lab.directory.path / "status.out"), holds("api.sock"));
  lab.start_agent();
  lab.until("the job to run", [&] { return fs::exists(running); });
  REQUIRE(run({"--json"}) == 0);
  const auto status = json::parse(read_file(lab.directory.path / "status.out"));
  CHECK(status.at("state").as_string() == "busy");
  CHECK(status.at("slots").at("busy").as_int64() == 1);
  CHECK(status.at("jobs").at("running").at(0).at("external_ref").as_string() ==
        text_at(lab.jobs().front(), "id").c_str());
  REQUIRE(run({}) == 0);
  CHECK_THAT(read_file(lab.directory.path / "status.out"), holds("nightly") && holds("1 of 1 slots busy"));
  write_file(go, "");
  lab.finished_job();
}
