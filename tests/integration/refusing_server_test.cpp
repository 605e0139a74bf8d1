// What labs really meet: a control server that says no to what is sent, for now or for good. Each gives one message that
// says what to do, and nothing is lost.

#include "agent/base/clock.hpp"
#include "agent/job/event.hpp"
#include "integration/bad_input.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <csignal>
#include <optional>

namespace {

namespace fs = std::filesystem;
using namespace outpost;
using namespace outpost::test;
using job::number_at;
using job::text_at;

/// What `outpost ARGUMENTS` prints; it must succeed.
std::string cli(SampleLab& lab, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), OUTPOST_PROGRAM);
  arguments.insert(arguments.end(), {"--socket", (lab.directory.path / "agent/run/api.sock").string()});
  const fs::path output = lab.directory.path / "outpost.out";
  fs::remove(output);
  Process process{arguments, output};
  const int status = process.wait();
  CAPTURE(read_file(output));
  CHECK(status == 0);
  return read_file(output);
}

}  // namespace

TEST_CASE("An artifact above the server's limit is parked with both sizes, and a log is split", "[bad]") {
  SampleLab lab{{.server = {"--max-content-length-mb", "1"}}};
  lab.hook("install",
           "#!/bin/sh\nseq 1 400000\nhead -c 2097152 /dev/zero > \"$OUTPOST_ARTIFACTS/core.bin\"\nprintf small > "
           "\"$OUTPOST_ARTIFACTS/small.txt\"\n");
  lab.feed("1.0", {});
  SECTION("learned from its answer") {}
  SECTION("as configured, without asking") { lab.configure("", "", "upload_limit: 700KiB"); }
  lab.start_agent();
  const std::string id = text_at(lab.finished_job(), "id");
  CHECK(lab.states(id) == good_way);
  std::string log;
  for (int n = 1; n <= 400'000; ++n) log += std::to_string(n) + "\n";
  CHECK(lab.log_of(id, "install/acme/install") == log);
  Names names;
  for (const auto& file : lab.files(id)) {
    CHECK(number_at(file, "size") <= 1 << 20);
    if (text_at(file, "name").find("log@") == std::string::npos) names.push_back(text_at(file, "name"));
  }
  CHECK(names == Names{"small.txt"});
  const auto status = lab.status();
  CHECK(number_at(status.at("reporters").at(0).as_object(), "parked") == 1);
  const auto& alarms = status.at("alarms").as_array();
  REQUIRE(alarms.size() == 1);
  CHECK(alarms[0].at("kind").as_string() == "parked");
  CHECK_THAT(std::string{alarms[0].at("message").as_string()},
             holds("core.bin") && holds("2.0 MiB (2097152 bytes)") && holds("MAX_CONTENT_LENGTH_MB"));
  const auto all = lab.requests();
  const auto refused =
      std::count_if(all.begin(), all.end(), [](const auto& one) { return number_at(one, "status") == 413; });
  if (lab.agent_configuration().find("upload_limit") != std::string::npos) {
    CHECK(refused == 0);
    CHECK_THAT(std::string{alarms[0].at("message").as_string()},
               holds("at most 700.0 KiB (716800 bytes), says upload_limit"));
  } else {
    CHECK(refused <= 6);
    CHECK_THAT(std::string{alarms[0].at("message").as_string()}, holds("it refused"));
  }
}

TEST_CASE("A server that says when to come back is not asked before", "[bad]") {
  SampleLab lab;
  lab.hook("install", "#!/bin/sh\nhead -c 54321 /dev/zero > \"$OUTPOST_ARTIFACTS/core.bin\"\n");
  lab.feed("1.0", {});
  lab.set_faults(
      R"([{"method": "POST", "path": "/api/v1/files", "times": 1, "status": 503, "headers": {"Retry-After": "2"}}])");
  lab.start_agent();
  const std::string id = text_at(lab.finished_job(), "id");
  CHECK(lab.states(id) == good_way);
  std::optional<Timestamp> told, again;
  std::int64_t size = 0;
  for (const auto& request : lab.requests()) {
    if (text_at(request, "target") != "/api/v1/files" || text_at(request, "method") != "POST") continue;
    const auto moment = parse_rfc3339(text_at(request, "time") + "Z");
    REQUIRE(moment);
    if (number_at(request, "status") == 503) {
      told = *moment;
      size = number_at(request, "request_bytes");
    } else if (told && number_at(request, "request_bytes") == size) {
      again = *moment;
    }
  }
  REQUIRE(told);
  REQUIRE(again);
  CHECK(*again - *told >= std::chrono::milliseconds{1990});
}

TEST_CASE("A parked artifact is acknowledged, and sent when the limit was raised", "[bad]") {
  SampleLab lab;
  lab.hook("install", "#!/bin/sh\nhead -c 200000 /dev/zero > \"$OUTPOST_ARTIFACTS/core.bin\"\n");
  lab.configure("", "", "upload_limit: 100KiB");
  lab.feed("1.0", {});
  lab.start_agent();
  const std::string id = text_at(lab.finished_job(), "id");
  CHECK_THAT(cli(lab, {"alarm", "list"}), holds("dci/parked/") && holds("core.bin"));
  CHECK_THAT(cli(lab, {"alarm", "ack", "--all"}), holds("acknowledged: dci/parked/"));
  CHECK(cli(lab, {"alarm", "list"}) == "no alarms\n");
  CHECK_THAT(cli(lab, {"reporter", "parked", "dci"}), holds("core.bin") && holds("says upload_limit"));
  lab.stop_agent(SIGTERM);
  lab.configure();
  lab.start_agent();
  lab.until("the agent to be up", [&] { return lab.agent_is_up(); });
  CHECK(lab.status().at("alarms").as_array().empty());
  CHECK(cli(lab, {"reporter", "retry", "dci"}) == "sending again: 1 items of dci\n");
  lab.until("the artifact", [&] {
    const auto files = lab.files(id);
    return std::any_of(files.begin(), files.end(), [](const auto& file) { return text_at(file, "name") == "core.bin"; });
  });
  CHECK(cli(lab, {"reporter", "parked", "dci"}) == "nothing is parked\n");
}

TEST_CASE("Credentials that are refused in the middle of a job are an alarm: nothing is parked or lost", "[bad]") {
  SampleLab lab;
  const fs::path running = lab.directory.path / "running", go = lab.directory.path / "go";
  lab.hook("install", waiting_hook(running, go) + "echo installed\n");
  lab.hook("test", "#!/bin/sh\necho '<testsuite><testcase name=\"a\"/></testsuite>' > \"$OUTPOST_RESULTS/acme.xml\"\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the hook to run", [&] { return fs::exists(running) && lab.jobs().size() == 1; });
  const std::string id = text_at(the_job(lab), "id");
  lab.until("running to be told", [&] { return lab.states(id).back() == "running"; });

  const std::string refusal =
      R"("status": 401, "json": {"message": "RemoteCI identity does not exists.", "payload": {}, "status_code": 401}})";
  bool restarted = false;
  SECTION("because the secret was replaced at the server") { lab.renew_secret(); }
  SECTION("because the server no longer knows us") {
    lab.set_faults(R"([{"method": "POST", "path": "/api/v1/*", )" + refusal + "]");
    restarted = true;
  }
  SECTION("for a while, which polling notices first") {
    lab.set_faults(R"([{"method": "POST", "path": "/api/v1/*", )" + refusal +
                   R"(, {"method": "GET", "path": "/api/v1/topics/*", )" + refusal + "]");
  }
  const auto asked_before = lab.requests().size();
  write_file(go, "");
  lab.until("the job to end and the alarm", [&] {
    const auto status = lab.status();
    const auto& reporter = status.at("reporters").as_array().at(0).as_object();
    return status.at("jobs").at("running").as_array().empty() && reporter.at("credentials_refused").as_bool() &&
           number_at(reporter, "waiting") >= 8;
  });
  const auto status = lab.status();
  CHECK(number_at(status.at("reporters").at(0).as_object(), "parked") == 0);
  bool alarmed = false;
  for (const auto& alarm : status.at("alarms").as_array())
    alarmed = alarmed || (alarm.at("kind").as_string() == "credentials" &&
                          std::string{alarm.at("message").as_string()}.find("everything is kept") != std::string::npos);
  CHECK(alarmed);
  CHECK(lab.states(id).back() == "running");
  std::size_t refused = 0;
  const auto all = lab.requests();
  for (std::size_t index = asked_before; index < all.size(); ++index)
    refused += text_at(all[index], "method") == "POST" &&
                       (number_at(all[index], "status") == 400 || number_at(all[index], "status") == 401)
                   ? 1
                   : 0;
  CHECK(refused <= 5);  // As many as were on their way at once, and one to see whether it is still so.

  if (restarted) lab.stop_agent(SIGKILL);  // Stopping it in good order would wait for the delivery.
  lab.set_faults("[]");
  if (restarted)
    lab.start_agent();
  else
    lab.configure();  // The credentials are replaced: the running agent takes them over.
  lab.finished_job();
  CHECK(lab.states(id) == good_way);
  CHECK(lab.log_of(id, "install/acme/install") == "installed\n");
  CHECK(lab.results(id).size() == 1);
  CHECK(lab.status().at("alarms").as_array().empty());
}
