// The commands that only look: at a control server, the configuration, resources, logs and figures.
#include "cli/command_lab.hpp"
#include "support/catch.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

namespace {

namespace fs = std::filesystem;
using namespace outpost;
using namespace outpost::test;
using job::text_at;

}  // namespace

TEST_CASE("a control server is asked without the daemon", "[cli]") {
  CommandLab lab;
  lab.feed("1.0", {});
  CHECK(lab.outpost({"server", "ping"}) == 0);
  CHECK_THAT(lab.said, holds("dci: 200 in ") && holds("accepts remoteci/" + lab.remoteci));
  REQUIRE(lab.outpost({"server", "ping", "--json"}) == 0);
  CHECK(lab.json().at("schema") == "outpost-server-ping");
  CHECK(lab.json().at("accepted").as_bool());
  REQUIRE(lab.outpost({"server", "whoami", "--json"}) == 0);
  CHECK(text_at(lab.json().at("identity").as_object(), "id") == lab.remoteci);
  CHECK(lab.outpost({"server", "whoami"}) == 0);
  REQUIRE(lab.outpost({"server", "topics", "--json"}) == 0);
  CHECK(lab.json().at("topics").at(0).at("name") == "ACME-1");
  REQUIRE(lab.outpost({"server", "components", "ACME-1", "--json", "--type", "acme"}) == 0);
  CHECK(lab.json().at("components").as_array().size() == 1);
  REQUIRE(lab.outpost({"server", "components", "ACME-1", "--json", "--type", "other"}) == 0);
  CHECK(lab.json().at("components").as_array().empty());
  CHECK(lab.outpost({"server", "components", "ACME-2"}) == 1);
  CHECK_THAT(lab.said, holds("did you mean \"ACME-1\"?"));
  CHECK(lab.outpost({"server", "jobs"}) == 0);
  CHECK_THAT(lab.said, holds("none"));
}

TEST_CASE("an answer of a control server that is no is not exit status 0", "[cli]") {
  CommandLab lab;
  SECTION("no such source") {
    CHECK(lab.outpost({"server", "topics", "--source", "dcii"}) == 2);
    CHECK_THAT(lab.said, holds("did you mean \"dci\"?"));
  }
  SECTION("nobody answers") {
    lab.configure("", "", "url: 'http://127.0.0.1:1'");
    CHECK(lab.outpost({"server", "ping"}) == 4);
    CHECK(lab.outpost({"server", "topics"}) == 4);
    CHECK_THAT(lab.said, holds("connection refused"));
  }
  SECTION("we are refused") {
    lab.renew_secret();
    CHECK(lab.outpost({"server", "ping"}) == 1);
    CHECK(lab.outpost({"server", "jobs"}) == 1);
    CHECK_THAT(lab.said, holds("is the API secret"));
  }
  SECTION("the server has trouble") {
    lab.set_faults(R"([{"method": "GET", "path": "/api/v1/identity", "status": 503}])");
    CHECK(lab.outpost({"server", "whoami"}) == 4);
    CHECK(lab.outpost({"server", "ping"}) == 4);
  }
  SECTION("a wrong configuration") {
    write_file(lab.configuration(), "slots: many\n");
    CHECK(lab.outpost({"server", "ping"}) == 5);
  }
}

TEST_CASE("the configuration is shown with the place of each value, and without passwords", "[cli]") {
  CommandLab lab;
  lab.configure("", "slots: 2\n", "proxy: 'http://me:hunter2@proxy.lab:3128'");
  write_file(lab.directory.path / "agent/conf.d/10-more.yml",
             "slots: 3\nalarms: {webhook: 'https://chat.example.org/hooks/s3cr3t'}\n");
  REQUIRE(lab.outpost({"config", "show"}) == 0);
  CHECK_THAT(lab.said, holds("slots: 3  # conf.d/10-more.yml:1:1") &&
                           holds("jobs.nightly.plugins: [acme]  # outpost.yml:") &&
                           holds("sources.dci.proxy: ****  # outpost.yml:") && holds("  # default"));
  CHECK(lab.said.find("hunter2") == std::string::npos);
  CHECK(lab.said.find("s3cr3t") == std::string::npos);
  REQUIRE(lab.outpost({"config", "show", "--json"}) == 0);
  CHECK(lab.json().at("schema") == "outpost-config");
  CHECK(lab.said.find("hunter2") == std::string::npos);
  REQUIRE(lab.outpost({"config", "explain", "slots"}) == 0);
  CHECK_THAT(lab.said, holds("slots (1 to 63, default 1)") && holds("in force: slots: 3  # conf.d/10-more.yml:1:1"));
  REQUIRE(lab.outpost({"config", "explain", "jobs.nightly.grace"}) == 0);
  CHECK_THAT(lab.said, holds("in force: jobs.nightly.grace: 30.0s  # default"));
  for (const auto& [misspelt, meant] : {std::pair{"jobs.timeot", "jobs.timeout"}, {"timeot", "timeout"}, {"jobs.nightly.timeot", "jobs.nightly.timeout"}}) {
    CHECK(lab.outpost({"config", "explain", misspelt}) == 1);
    CHECK_THAT(lab.said, holds("did you mean " + std::string{meant} + "?"));
    CHECK(lab.outpost({"config", "explain", meant}) == 0);
  }
  CHECK(lab.outpost({"config", "explain", "slotss"}) == 1);
  CHECK_THAT(lab.said, holds("did you mean slots?"));
  CHECK(lab.run({OUTPOST_COMMAND, "config", "schema"}) == 0);
  CHECK(lab.json().at("properties").as_object().contains("sources"));
}

TEST_CASE("a running job is followed to its end, its page is written, and the figures count it", "[cli]") {
  CommandLab lab;
  const fs::path go = lab.directory.path / "go";
  lab.hook("install", "#!/bin/sh\necho first line\n" + wait_for_file(go) + "printf 'last <line>\\n'\n");
  lab.configure("", "resources: {cluster4: {hosts: [10.0.0.4]}}\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the job to run",
            [&] { return lab.agent_is_up() && !lab.status().at("jobs").at("running").as_array().empty(); });
  const std::string id = text_at(lab.status().at("jobs").at("running").at(0).as_object(), "job_id");
  {
    Process following{{OUTPOST_COMMAND, "job", "logs", "--follow", id, "--config", lab.configuration()},
                      lab.directory.path / "followed"};
    lab.until("the first line",
              [&] { return read_file(lab.directory.path / "followed").find("first line") != std::string::npos; });
    // For programs, line by line: what has been printed so far comes at once.
    Process machine{{OUTPOST_COMMAND, "job", "logs", "-f", "--json", id, "install.acme", "--config", lab.configuration()}, lab.directory.path / "followed.json"};
    const auto rows = [&] {
      std::vector<boost::json::object> all;
      for (const auto& line : split(read_file(lab.directory.path / "followed.json"), '\n'))
        if (!line.empty()) all.push_back(boost::json::parse(line).as_object());
      return all;
    };
    lab.until("the first line as JSON", [&] { return read_file(lab.directory.path / "followed.json").find("first line") != std::string::npos && rows().size() >= 2; });
    CHECK(machine.is_running());
    CHECK(following.is_running());
    write_file(go, "");
    CHECK(following.wait() == 0);
    CHECK_THAT(read_file(lab.directory.path / "followed"), holds("==> install.acme") && holds("last <line>"));
    CHECK(machine.wait() == 0);
    const auto told = rows();
    REQUIRE(told.size() == 3);
    CHECK(text_at(told[0], "schema") == "outpost-job-logs");
    CHECK(told[0].at("version") == 1);
    CHECK(text_at(told[0], "job_id") == id);
    for (const auto& row : {told[1], told[2]}) {
      CHECK(text_at(row, "step_id") == "install.acme");
      CHECK(parse_rfc3339(text_at(row, "time")));
      CHECK(row.at("continued") == false);
    }
    CHECK(text_at(told[1], "text") == "first line");
    CHECK(text_at(told[2], "text") == "last <line>");
  }
  CHECK(text_at(lab.finished_job(), "status") == "success");

  // The reader has ended before anything is printed.
  CHECK(lab.run({"/bin/bash", "-c", "exec 3> >(true); wait $!; " OUTPOST_COMMAND " job logs " + id + " --config " + lab.configuration() + " >&3"}) == 0);
  CHECK(lab.said.empty());

  const fs::path page = lab.directory.path / "page.html";
  REQUIRE(lab.outpost({"job", "export", "--html", "-o", page.string(), id}) == 0);
  CHECK_THAT(read_file(page), holds("last &lt;line&gt;") && holds("class=\"verdict success\""));
  CHECK(lab.outpost({"job", "export", "-o", page.string(), id}) == 1);
  CHECK_THAT(lab.said, holds("--force replaces it"));
  REQUIRE(lab.outpost({"job", "export", "--json", "-o", "-", id}) == 0);
  CHECK(lab.json().at("schema") == "outpost-job");
  CHECK(lab.json().at("logs").as_array().size() == 2);  // The download's, and the hook's.
  CHECK_THAT(lab.said, holds("first line"));

  REQUIRE(lab.run({"/usr/bin/curl", "-sS", "--fail", "--unix-socket",
                   (lab.directory.path / "agent/run/api.sock").string(), "http://localhost/metrics"}) == 0);
  CHECK_THAT(lab.said, holds("outpost_jobs_total{verdict=\"success\",reason=\"") &&
                           holds("outpost_job_stage_seconds_count{stage=\"install\",outcome=\"ok\"} 1\n") &&
                           holds("outpost_server_rtt_seconds{source=\"dci\"}") &&
                           holds("outpost_resource_busy{resource=\"cluster4\"} 0\n"));

  REQUIRE(lab.outpost({"resource", "lock", "cluster4", "--reason", "new disks"}) == 0);
  REQUIRE(lab.outpost({"resource", "list"}) == 0);
  CHECK_THAT(lab.said, holds("cluster4  free, locked since ") && holds(": new disks"));
  REQUIRE(lab.outpost({"resource", "unlock", "cluster4"}) == 0);
  REQUIRE(lab.outpost({"resource", "list", "--json"}) == 0);
  CHECK_FALSE(lab.json().at("resources").at(0).at("locked").as_bool());
  CHECK(lab.outpost({"resource", "lock", "cluster5"}) == 1);
}

TEST_CASE("a bundle for support has what is needed and no secret, and names only when they may be seen", "[cli]") {
  CommandLab lab;
  lab.configure("", "resources: {rack7: {hosts: [bmc7.invalid]}}\n", "proxy: 'http://me:hunter2@proxy.invalid:3128'");
  const fs::path bundle = lab.directory.path / "bundle.tar.gz";
  const bool redacted = GENERATE(false, true);
  std::vector<std::string> arguments{"support", "bundle", "-o", bundle.string()};
  if (redacted) arguments.emplace_back("--redact");
  REQUIRE(lab.outpost(arguments) == 0);
  CHECK_THAT(lab.said, holds("doctor.json") && holds("Look through it"));
  CHECK(lab.outpost(arguments) == 1);
  REQUIRE(lab.run({"/bin/tar", "-xOzf", bundle.string()}) == 0);
  CHECK_THAT(lab.said, holds("outpost-doctor") && holds("jobs.nightly.plugins") && holds("is outpostd running?"));
  CHECK(lab.said.find("hunter2") == std::string::npos);
  CHECK(lab.said.find(lab.secret) == std::string::npos);
  CHECK((lab.said.find("bmc7.invalid") == std::string::npos) == redacted);
  CHECK((lab.said.find("proxy.invalid") == std::string::npos) == redacted);
}

TEST_CASE("a shell's completion is printed, and is what the package installs", "[cli]") {
  CommandLab lab;
  REQUIRE(lab.run({OUTPOST_COMMAND, "completion", "bash"}) == 0);
  CHECK_THAT(lab.said, holds("complete -o bashdefault -o default -F _outpost outpost outpostd"));
  CHECK(lab.said == read_file(fs::path{OUTPOST_SOURCE_DIR} / "agent/cli/outpost.bash"));
}

TEST_CASE("a configuration is made from that of one of DCI's agents, for people and for programs", "[cli]") {
  CommandLab lab;
  const fs::path agent = lab.directory.path / "dci-rhel-agent", made = lab.directory.path / "made.yml";
  fs::create_directories(agent);
  write_file(agent / "settings.yml", "topics:\n  - topic: RHEL-9.4\n    dci_rhel_agent_cert: false\n");
  lab.write_credentials(agent / "dcirc.sh", lab.remoteci, lab.secret);
  REQUIRE(lab.run({OUTPOST_COMMAND, "setup", "--from-dci", agent.string(), "--json"}) == 0);
  CHECK(lab.json().at("schema") == "outpost-setup");
  CHECK(lab.json().at("version") == 1);
  CHECK(lab.json().at("file") == "");
  CHECK(lab.json().at("notes").is_array());
  const std::string configuration{lab.json().at("configuration").as_string()};
  CHECK_THAT(configuration, holds("RHEL-9.4") && !holds(lab.secret));
  REQUIRE(lab.run({OUTPOST_COMMAND, "setup", "--from-dci", agent.string(), "--json", "-o", made.string()}) == 0);
  CHECK(text_at(lab.json().as_object(), "file") == made.string());
  CHECK(read_file(made) == configuration);
  CHECK(lab.run({OUTPOST_COMMAND, "setup", "--from-dci", agent.string(), "-o", made.string()}) == 1);
  CHECK_THAT(lab.said, holds("--force replaces it"));
  REQUIRE(lab.run({OUTPOST_COMMAND, "setup", "--from-dci", agent.string(), "-o", made.string(), "--force"}) == 0);
  CHECK_THAT(lab.said, holds("next: outpost config check --config " + made.string()));
  CHECK(lab.run({OUTPOST_COMMAND, "setup", "--from-dci", (agent / "nowhere").string(), "--json"}) == 1);
}

TEST_CASE("every answer for programs names its schema and version, also when it is no", "[cli]") {
  CommandLab lab;
  const auto schema = [&](const std::vector<std::string>& command, int status) {
    CHECK(lab.outpost(command) == status);
    INFO(lab.said);
    CHECK(lab.json().at("version") == 1);
    return text_at(lab.json().as_object(), "schema");
  };
  CHECK(schema({"config", "check", "--json"}, 0) == "outpost-config-check");
  CHECK(schema({"config", "explain", "--json", "slots"}, 0) == "outpost-config-explain");
  CHECK(lab.json().at("keys").at(0).at("in_force").at(0).at("key") == "slots");
  const std::string right = read_file(lab.configuration());
  write_file(lab.configuration(), right + "slotss: 3\n");
  CHECK(schema({"config", "check", "--json"}, 5) == "outpost-config-check");
  CHECK_FALSE(lab.json().at("right").as_bool());
  CHECK(lab.json().at("problems").as_array().size() == 1);
  write_file(lab.configuration(), right);
  lab.start_agent();
  lab.until("the agent", [&] { return lab.agent_is_up(); });
  CHECK(schema({"status", "--json"}, 0) == "outpost-status");
  CHECK(lab.json().at("daemon_version").is_string());
  CHECK(schema({"job", "list", "--json"}, 0) == "outpost-jobs");
  CHECK(schema({"alarm", "list", "--json"}, 0) == "outpost-alarms");
  CHECK(schema({"alarm", "ack", "--all", "--json"}, 0) == "outpost-alarm-ack");
  CHECK(schema({"reporter", "list", "--json"}, 0) == "outpost-reporters");
  CHECK(schema({"reporter", "parked", "--json", "dci"}, 0) == "outpost-parked");
  CHECK(schema({"reporter", "retry", "--json", "dci"}, 0) == "outpost-reporter-retry");
  CHECK(schema({"pause", "--json"}, 0) == "outpost-claims");
  CHECK(schema({"resume", "--json"}, 0) == "outpost-claims");
  CHECK(schema({"reload", "--json"}, 0) == "outpost-reload");
  CHECK(schema({"dashboard", "--json"}, 1) == "outpost-dashboard");  // It is on the socket only.
  CHECK(text_at(lab.json().as_object(), "socket").ends_with("/run/api.sock"));
  const std::string bundle = (lab.directory.path / "bundle.tar.gz").string();
  CHECK(schema({"support", "bundle", "--json", "-o", bundle}, 0) == "outpost-support-bundle");
  CHECK(lab.json().at("contents").as_array().size() > 5);
  CHECK(lab.outpost({"reporter", "forget", "--json", "dci"}) == 1);
  CHECK(lab.outpost({"job", "show", "--json", "nobody"}) == 1);
}
