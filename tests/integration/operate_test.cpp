// What an admin does to a daemon at work, with the commands: drain, reload, restart with a wrong configuration.

#include "integration/sample_lab.hpp"

#include "agent/job/event.hpp"
#include "support/catch.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <csignal>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace outpost;
using namespace outpost::test;
using job::text_at;

/// A lab whose hook of install waits until it may go on.
struct OperatedLab : SampleLab {
  OperatedLab() { hook("install", waiting_hook(running, go)); }
  void start_busy() {
    feed("1.0", {});
    start_agent();
    until("the job to run", [&] { return fs::exists(running); });
  }
  /// The exit status of `outpost ARGUMENTS...`; what it printed is in `said`.
  int outpost(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), OUTPOST_COMMAND);
    arguments.insert(arguments.end(), {"--config", (directory.path / "agent/outpost.yml").string()});
    fs::remove(directory.path / "command.out");
    Process command{arguments, directory.path / "command.out"};
    const int status = command.wait();
    said = read_file(directory.path / "command.out");
    return status;
  }
  void spoil() { write_file(directory.path / "agent/conf.d/90-wrong.yml", "slots: many\n"); }
  void repair() { fs::remove(directory.path / "agent/conf.d/90-wrong.yml"); }
  bool alarmed(const std::string& key) {
    const auto now = status();
    for (const auto& alarm : now.at("alarms").as_array())
      if (text_at(alarm.as_object(), "key") == key) return true;
    return false;
  }

  fs::path running = directory.path / "running", go = directory.path / "go";
  std::string said;
};

}  // namespace

TEST_CASE("outpost drain waits until the last job has ended, and nothing new is claimed meanwhile", "[operate]") {
  OperatedLab lab;
  lab.start_busy();
  CHECK(lab.outpost({"drain", "--timeout", "10ms", "--reason", "new switch"}) == 1);
  CHECK_THAT(lab.said, holds("draining: 1 job still runs") && holds("the drain goes on"));
  lab.feed("2.0", {});
  lab.until("the next to wait", [&] { return lab.status().at("jobs").at("waiting").as_array().size() == 1; });
  REQUIRE(lab.outpost({"status"}) == 0);
  CHECK_THAT(lab.said, holds("claims    draining") && holds("draining: new switch"));
  write_file(lab.go, "");
  CHECK(lab.outpost({"drain", "--wait"}) == 0);
  CHECK_THAT(lab.said, holds("drained"));
  CHECK(lab.jobs().size() == 1);
  CHECK(text_at(lab.status(), "state") == "drained");
  CHECK(lab.outpost({"resume"}) == 0);
  CHECK(text_at(lab.finished_job(2), "status") == "success");
}

TEST_CASE("A reload changes what a running daemon does, and its running job is not disturbed", "[operate]") {
  OperatedLab lab;
  lab.start_busy();
  const bool by_signal = GENERATE(false, true);
  const pid_t pid = lab.agent_pid();
  lab.configure("", "slots: 3\nspool: {uploads: 2}\nresources: {cluster4: {hosts: [10.0.0.4]}}\nstate_directory: elsewhere\n");
  const std::string text = lab.agent_configuration();
  write_file(lab.directory.path / "agent/outpost.yml", text.substr(0, text.find("state_directory: state\n")) + text.substr(text.find("runtime_directory")));
  if (by_signal) {
    ::kill(pid, SIGHUP);
  } else {
    REQUIRE(lab.outpost({"reload"}) == 0);
    CHECK_THAT(lab.said, holds("slots (changed)") && holds("resources.cluster4 (new)") && holds("needs a restart: state_directory"));
  }
  lab.until("the new slots", [&] { return lab.status().at("slots").at("total").as_int64() == 3; });
  CHECK(lab.status().at("resources").as_object().contains("cluster4"));
  CHECK(lab.status().at("jobs").at("running").as_array().size() == 1);
  CHECK_FALSE(fs::exists(lab.directory.path / "agent/elsewhere"));
  write_file(lab.go, "");
  CHECK(text_at(lab.finished_job(), "status") == "success");
  CHECK(lab.agent_pid() == pid);
}

TEST_CASE("A reload of a wrong configuration says what is wrong, and the old one stays in force", "[operate]") {
  OperatedLab lab;
  write_file(lab.go, "");
  lab.start_agent();
  lab.until("the agent", [&] { return lab.agent_is_up(); });
  lab.spoil();
  CHECK(lab.outpost({"reload"}) == 5);
  CHECK_THAT(lab.said, holds("conf.d/90-wrong.yml:1:1: slots: "));
  CHECK_THAT(lab.agent_log(), holds("conf.d/90-wrong.yml:1:1: slots: "));
  CHECK(lab.alarmed("configuration"));
  CHECK_THAT(text_at(lab.status().at("configuration").as_object(), "problem"), holds("conf.d/90-wrong.yml:1:1"));
  lab.feed("1.0", {});  // It works on.
  CHECK(text_at(lab.finished_job(), "status") == "success");
  lab.repair();
  CHECK(lab.outpost({"reload"}) == 0);
  CHECK_FALSE(lab.alarmed("configuration"));
}

TEST_CASE("Credentials and address of a source that is corrected by a reload are used at once", "[operate]") {
  OperatedLab lab;
  write_file(lab.go, "");
  lab.configure("", "", "url: http://127.0.0.1:1");
  lab.start_agent();
  lab.until("polls to fail", [&] { return lab.agent_is_up() && !text_at(lab.status().at("sources").at(0).as_object(), "last_error").empty(); });
  lab.configure();
  REQUIRE(lab.outpost({"reload"}) == 0);
  CHECK_THAT(lab.said, holds("sources.dci (changed)"));
  lab.feed("1.0", {});
  CHECK(text_at(lab.finished_job(), "status") == "success");
}

TEST_CASE("A source that is taken out of the configuration finishes and tells its running job, then leaves", "[operate]") {
  OperatedLab lab;
  lab.start_busy();
  write_file(lab.directory.path / "agent/outpost.yml", "plugins_path: [../plugins]\nstate_directory: state\nruntime_directory: run\n");
  REQUIRE(lab.outpost({"reload"}) == 0);
  CHECK_THAT(lab.said, holds("sources.dci (removed)") && holds("jobs.nightly (removed)"));
  CHECK(lab.status().at("sources").at(0).at("leaving").as_bool());
  write_file(lab.go, "");
  lab.until("it to leave", [&] { return lab.status().at("sources").as_array().empty(); });
  const std::string id = text_at(lab.jobs().at(0), "id");
  CHECK(lab.states(id) == std::vector<std::string>{"new", "pre-run", "running", "post-run", "success"});
  CHECK(lab.key_values(id).contains("steps"));
  lab.configure();
  REQUIRE(lab.outpost({"reload"}) == 0);
  lab.feed("2.0", {});
  CHECK(text_at(lab.finished_job(2), "status") == "success");
}

TEST_CASE("A restart with a wrong configuration finishes what was begun with the last good one", "[operate]") {
  OperatedLab lab;
  const fs::path kept = lab.directory.path / "agent/state/last-good.json";
  lab.start_busy();
  struct stat status{};
  REQUIRE(::stat(kept.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  lab.stop_agent(SIGKILL);
  lab.feed("2.0", {});
  SECTION("a value is wrong") { lab.spoil(); }
  SECTION("it is no YAML at all") { write_file(lab.directory.path / "agent/conf.d/90-wrong.yml", "jobs: [\n"); }
  lab.start_agent();
  lab.until("the first job to end", [&] { return lab.agent_is_up() && lab.all_is_delivered(text_at(lab.jobs().at(0), "id")); });
  CHECK(text_at(lab.jobs().at(0), "status") == "error");  // Its hook went with the agent.
  CHECK(lab.alarmed("configuration"));
  CHECK(text_at(lab.status(), "state") == "degraded");
  CHECK(lab.status().at("configuration").at("last_good").as_bool());
  REQUIRE(lab.outpost({"status"}) == 0);
  CHECK_THAT(lab.said, holds("last good") && holds("conf.d/90-wrong.yml"));
  CHECK(lab.jobs().size() == 1);
  lab.repair();
  write_file(lab.go, "");
  REQUIRE(lab.outpost({"reload"}) == 0);
  CHECK(text_at(lab.finished_job(2), "status") == "success");
  CHECK_FALSE(lab.alarmed("configuration"));
}

TEST_CASE("A restart whose credentials are gone finishes what was begun, and tells the server once they are back", "[operate]") {
  OperatedLab lab;
  const fs::path credentials = lab.directory.path / "agent/dcirc.sh", aside = lab.directory.path / "aside.sh";
  lab.start_busy();
  lab.stop_agent(SIGKILL);
  SECTION("nobody knows where") { fs::rename(credentials, aside); }
  SECTION("they were opened to everybody") {
    fs::copy_file(credentials, aside);
    fs::permissions(credentials, fs::perms::others_read, fs::perm_options::add);
  }
  lab.feed("2.0", {});
  lab.start_agent();
  lab.until("the job to end", [&] { return lab.agent_is_up() && lab.status().at("jobs").at("running").as_array().empty(); });
  CHECK(lab.alarmed("configuration"));
  CHECK(text_at(lab.status(), "state") == "degraded");
  CHECK_FALSE(lab.status().at("configuration").at("last_good").as_bool());
  REQUIRE(lab.outpost({"status"}) == 0);
  CHECK_THAT(lab.said, holds("what of it can be read finishes what was begun") && holds("dcirc.sh"));
  CHECK(lab.outpost({"spool", "export", (lab.directory.path / "spool.tar.zst").string()}) != 0);
  CHECK_THAT(lab.said, holds("cannot be sealed"));
  CHECK(lab.outpost({"reload"}) == 5);
  CHECK(text_at(lab.jobs().at(0), "status") != "error");  // Nobody could tell the server yet.
  fs::rename(aside, credentials);
  write_file(lab.go, "");
  REQUIRE(lab.outpost({"reload"}) == 0);
  lab.until("the end of the job to be told", [&] { return lab.all_is_delivered(text_at(lab.jobs().at(0), "id")); });
  CHECK(text_at(lab.jobs().at(0), "status") == "error");  // Its hook went with the agent.
  CHECK(text_at(lab.finished_job(2), "status") == "success");
  CHECK_FALSE(lab.alarmed("configuration"));
}

TEST_CASE("A restart with a configuration that names what is not there finishes what was begun with the last good one", "[operate]") {
  OperatedLab lab;
  lab.start_busy();
  lab.stop_agent(SIGKILL);
  lab.feed("2.0", {});
  const fs::path spoiled = lab.directory.path / "agent/conf.d/90-wrong.yml";
  const std::string name = GENERATE("credentials", "ca_file");
  write_file(spoiled, "sources: {dci: {" + name + ": /nowhere/at-all}}\n");
  lab.start_agent();
  lab.until("the first job to end", [&] { return lab.agent_is_up() && lab.all_is_delivered(text_at(lab.jobs().at(0), "id")); });
  CHECK(text_at(lab.jobs().at(0), "status") == "error");  // Its hook went with the agent.
  CHECK(lab.status().at("configuration").at("last_good").as_bool());
  REQUIRE(lab.outpost({"status"}) == 0);
  CHECK_THAT(lab.said, holds("last good") && holds("/nowhere/at-all"));
  CHECK(lab.jobs().size() == 1);
}

TEST_CASE("A restart whose credentials are gone goes on by itself once they are back", "[operate]") {
  OperatedLab lab;
  const fs::path credentials = lab.directory.path / "agent/dcirc.sh", aside = lab.directory.path / "aside.sh";
  write_file(lab.directory.path / "agent/conf.d/50-promote.yml", "promotions: {phase1: {config: ../promote.yml, every: 1h}}\n");
  const auto promotes = [&] { return !lab.status().at("promotions").as_array().empty(); };
  lab.start_busy();
  CHECK(promotes());
  lab.stop_agent(SIGKILL);
  fs::rename(credentials, aside);
  lab.feed("2.0", {});
  write_file(lab.go, "");
  const auto begin = [&] {
    lab.start_agent();
    lab.until("the job to end", [&] { return lab.agent_is_up() && lab.status().at("jobs").at("running").as_array().empty(); });
    CHECK(lab.alarmed("configuration"));
    CHECK_FALSE(promotes());
    fs::rename(aside, credentials);
  };
  SECTION("as if they had been there") {
    begin();
    CHECK(text_at(lab.finished_job(2), "status") == "success");
    CHECK_FALSE(lab.alarmed("configuration"));
    CHECK(promotes());
    CHECK(text_at(lab.jobs().at(0), "status") == "error");  // Its hook went with the agent.
    CHECK_THAT(lab.agent_log(), holds("what cannot be read is tried again by itself") && holds("what could not be read can be read now"));
  }
  SECTION("for what was begun alone, while the configuration is wrong too") {
    lab.spoil();
    begin();
    lab.until("the end of the job to be told", [&] { return lab.all_is_delivered(text_at(lab.jobs().at(0), "id")); });
    CHECK(lab.alarmed("configuration"));
    CHECK(text_at(lab.status().at("claims").as_object(), "state") == "closed");
    CHECK_FALSE(promotes());
    lab.repair();
    REQUIRE(lab.outpost({"reload"}) == 0);
    CHECK(promotes());
    CHECK(text_at(lab.finished_job(2), "status") == "success");
  }
  SECTION("not with a configuration that somebody is about to correct") {
    begin();
    lab.configure("", "slots: 3\n");
    lab.until("it to be tried", [&] { return lab.agent_log().find("waits for outpost reload") != std::string::npos; });
    CHECK(lab.alarmed("configuration"));
    REQUIRE(lab.outpost({"reload"}) == 0);
    CHECK_FALSE(lab.alarmed("configuration"));
  }
}

TEST_CASE("A restart whose secret of hooks is gone finishes what was begun with what systemd has kept of it", "[operate]") {
  OperatedLab lab;
  lab.hook("collect", "#!/bin/sh\necho \"it is $(cat $OUTPOST_SECRETS/lab), and was battery-staple\"\n");
  const fs::path secret = lab.directory.path / "agent/lab.secret", kept = lab.directory.path / "kept";
  const auto write_secret = [&] {
    write_file(secret, "correct-horse\n");
    fs::permissions(secret, fs::perms::owner_read | fs::perms::owner_write);
  };
  write_secret();
  lab.configure("", "secrets: {lab: {file: lab.secret}}\n");
  lab.start_busy();
  lab.stop_agent(SIGKILL);
  lab.feed("2.0", {});
  fs::remove(secret);
  const std::string daemon = std::string{OUTPOST_DAEMON} + " --config " + (lab.directory.path / "agent/outpost.yml").string();
  SECTION("nothing was kept: it could not be hidden in what the hooks print") {
    Process agent{{OUTPOST_DAEMON, "--config", (lab.directory.path / "agent/outpost.yml").string()}, lab.directory.path / "second.log"};
    CHECK(agent.wait() == 1);
    CHECK_THAT(read_file(lab.directory.path / "second.log"), holds("secrets.lab: ") && holds("lab.secret"));
  }
  const auto start_with_kept = [&] {
    write_file(kept, R"({"lab": "correct-horse", "\n0": "battery-staple"})");
    lab.start_agent({}, {"/bin/sh", "-c", "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=secrets exec " + daemon + " 3<" + kept.string()});
  };
  SECTION("it was kept, and the server need not wait for it once its credentials are back") {
    const fs::path credentials = lab.directory.path / "agent/dcirc.sh", aside = lab.directory.path / "aside.sh";
    fs::rename(credentials, aside);
    start_with_kept();
    lab.until("the job to end", [&] { return lab.agent_is_up() && lab.status().at("jobs").at("running").as_array().empty(); });
    CHECK(text_at(lab.jobs().at(0), "status") != "error");  // Nobody could tell the server yet.
    fs::rename(aside, credentials);
    lab.until("the end of the job to be told", [&] { return lab.all_is_delivered(text_at(lab.jobs().at(0), "id")); });
    CHECK_THAT(lab.agent_log(), holds("sources.dci could not be read, and can be read now"));
    CHECK(lab.alarmed("configuration"));
    CHECK(lab.jobs().size() == 1);
  }
  SECTION("it was kept, and is back while the configuration is wrong") {
    lab.spoil();
    start_with_kept();
    lab.until("the start", [&] { return lab.agent_is_up(); });
    write_secret();
    lab.until("the secret to be read", [&] { return lab.agent_log().find("secrets.lab could not be read, and can be read now") != std::string::npos; });
    CHECK(lab.alarmed("configuration"));
    CHECK(text_at(lab.status().at("claims").as_object(), "state") == "closed");
  }
  SECTION("it was kept") {
    const bool is_spoiled = GENERATE(false, true);
    if (is_spoiled) lab.spoil();
    start_with_kept();
    lab.until("the first job to end", [&] { return lab.agent_is_up() && lab.all_is_delivered(text_at(lab.jobs().at(0), "id")); });
    const std::string id = text_at(lab.jobs().at(0), "id");
    CHECK(text_at(lab.jobs().at(0), "status") == "error");  // Its hook went with the agent.
    CHECK(lab.log_of(id, "collect/acme/collect") == "it is ***, and was ***\n");
    CHECK(lab.alarmed("configuration"));
    CHECK(text_at(lab.status(), "state") == "degraded");
    REQUIRE(lab.outpost({"status"}) == 0);
    CHECK_THAT(lab.said, holds("secrets.lab: ") && holds("lab.secret") && holds("outpost reload"));
    if (is_spoiled) CHECK_THAT(lab.said, holds("90-wrong.yml"));
    CHECK(lab.jobs().size() == 1);
    write_secret();
    if (is_spoiled) lab.repair();
    write_file(lab.go, "");
    REQUIRE(lab.outpost({"reload"}) == 0);
    CHECK(text_at(lab.finished_job(2), "status") == "success");
    CHECK_FALSE(lab.alarmed("configuration"));
  }
}

TEST_CASE("A start with nothing to finish is refused when the credentials are gone", "[operate]") {
  OperatedLab lab;
  write_file(lab.go, "");
  lab.feed("1.0", {});
  lab.start_agent();
  CHECK(text_at(lab.finished_job(), "status") == "success");
  lab.until("all to be delivered", [&] { return lab.all_is_delivered(text_at(lab.jobs().at(0), "id")); });
  CHECK(lab.stop_agent(SIGTERM) == 0);
  fs::remove(lab.directory.path / "agent/dcirc.sh");
  Process agent{{OUTPOST_DAEMON, "--config", (lab.directory.path / "agent/outpost.yml").string()}, lab.directory.path / "second.log"};
  CHECK(agent.wait() == 1);  // To be tried again: they may lie on a disk that is not there yet.
  CHECK_THAT(read_file(lab.directory.path / "second.log"), holds("sources.dci: ") && holds("dcirc.sh"));
}

TEST_CASE("A restart whose page finds its port taken finishes what was begun", "[operate]") {
  OperatedLab lab;
  lab.start_busy();
  lab.stop_agent(SIGKILL);
  boost::asio::io_context loop;
  boost::asio::ip::tcp::acceptor taken{loop, {boost::asio::ip::address_v4::loopback(), 0}};
  REQUIRE(::fcntl(taken.native_handle(), F_SETFD, FD_CLOEXEC) == 0);  // The agent would inherit it.
  lab.configure("", "dashboard: {listen: \"127.0.0.1:" + std::to_string(taken.local_endpoint().port()) + "\"}\n");
  lab.start_agent();
  lab.until("the first job to end", [&] { return lab.agent_is_up() && lab.all_is_delivered(text_at(lab.jobs().at(0), "id")); });
  CHECK(text_at(lab.jobs().at(0), "status") == "error");  // Its hook went with the agent.
  CHECK(lab.alarmed("dashboard"));
  taken.close();
  lab.until("the page", [&] { return !lab.alarmed("dashboard"); });
  REQUIRE(lab.outpost({"dashboard", "--print"}) == 0);
  CHECK_THAT(lab.said, holds("http://127.0.0.1:"));
}

TEST_CASE("A second agent with the same identity is refused, although its directories are others", "[operate]") {
  OperatedLab lab;
  lab.start_busy();
  const fs::path other = lab.directory.path / "other/outpost.yml";
  std::string text = lab.agent_configuration();
  text.replace(text.find("dcirc.sh"), 8, (lab.directory.path / "agent/dcirc.sh").string());
  write_file(other, text);
  {
    Process second{{OUTPOST_DAEMON, "--config", other.string()}, lab.directory.path / "second.log"};
    CHECK(second.wait() == 5);
  }
  CHECK_THAT(read_file(lab.directory.path / "second.log"),
             holds("remoteci/" + lab.remoteci) && holds("process " + std::to_string(lab.agent_pid())) && holds("a remoteci of its own"));
  lab.stop_agent(SIGKILL);  // Nothing of it is left that would be in the way.
  Process second{{OUTPOST_DAEMON, "--config", other.string()}, lab.directory.path / "second.log"};
  lab.until("the second to start", [&] { return read_file(lab.directory.path / "second.log").find("is up") != std::string::npos; });
  second.signal(SIGKILL);
  second.wait();
}

TEST_CASE("An agent whose credentials are replaced holds the new identity, and the old one no longer", "[operate]") {
  SampleLab lab;
  const std::string right = std::exchange(lab.secret, std::string(64, 'x'));
  lab.configure("", "", "credentials_retry: 24h");
  lab.start_agent();
  lab.until("the refusal", [&] { return lab.agent_is_up() && !lab.status().at("alarms").as_array().empty(); });
  const auto made = lab.admin("POST", "/remotecis", {{"name", "another"}, {"team_id", lab.team}}).at("remoteci");
  const std::string id{made.at("id").as_string()}, secret{made.at("api_secret").as_string()};
  lab.write_credentials(lab.directory.path / "agent/dcirc.sh", id, secret);
  lab.until("the new identity", [&] { return lab.agent_log().find("now signing in as remoteci/" + id) != std::string::npos; });

  const fs::path log = lab.directory.path / "second.log";
  write_file(lab.directory.path / "other/outpost.yml", lab.agent_configuration());
  const std::vector<std::string> command{OUTPOST_DAEMON, "--config", (lab.directory.path / "other/outpost.yml").string()};
  lab.write_credentials(lab.directory.path / "other/dcirc.sh", id, secret);
  CHECK(Process{command, log}.wait() == 5);
  CHECK_THAT(read_file(log), holds("remoteci/" + id) && holds("process " + std::to_string(lab.agent_pid())));
  lab.write_credentials(lab.directory.path / "other/dcirc.sh", lab.remoteci, right);
  Process second{command, log};
  lab.until("the second to start", [&] { return read_file(log).find("is up") != std::string::npos; });
  second.signal(SIGKILL);
  second.wait();
}

TEST_CASE("A start with a wrong configuration and nothing to finish is refused", "[operate]") {
  OperatedLab lab;
  write_file(lab.go, "");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.finished_job();
  CHECK(lab.stop_agent(SIGTERM) == 0);
  lab.spoil();
  lab.start_agent();
  lab.until("it to end", [&] { return !lab.agent_is_running(); });
  CHECK(lab.stop_agent(SIGTERM) == 5);
  CHECK_THAT(lab.agent_log(), holds("conf.d/90-wrong.yml:1:1: slots: "));
}
