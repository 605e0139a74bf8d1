// A lab without a connection: what waits leaves in an archive, and the server ends up as after a direct upload (F38).

#include "faults/figures.hpp"
#include "integration/sample_lab.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <random>
#include <set>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace outpost;
using namespace outpost::test;
using job::number_at;
using job::text_at;

/// Nothing that tells the server about a job gets through; polling and claiming do.
const char* const gap = R"([{"method": "POST", "path": "/api/v1/jobstates", "drop": true},
                            {"method": "POST", "path": "/api/v1/files", "drop": true},
                            {"method": "POST", "path": "/api/v1/jobs/*/kv", "drop": true},
                            {"method": "PUT", "path": "/api/v1/jobs/*", "drop": true}])";
/// The connection is lost during the job; of what was on its way then, some arrived.
const char* const late_gap =
    R"([{"method": "POST", "path": "/api/v1/jobstates", "nth": [3], "drop": true, "execute": true},
                                 {"method": "POST", "path": "/api/v1/jobstates", "after": 3, "drop": true},
                                 {"method": "POST", "path": "/api/v1/files", "nth": [2], "drop": true, "execute": true},
                                 {"method": "POST", "path": "/api/v1/files", "after": 2, "drop": true},
                                 {"method": "POST", "path": "/api/v1/jobs/*/kv", "after": 1, "drop": true},
                                 {"method": "PUT", "path": "/api/v1/jobs/*", "drop": true}])";

/// A job with something of every sort: output with odd bytes, results, files large, empty and oddly named, a verdict
/// with a reason.
void write_job(SampleLab& lab) {
  lab.configure("", "", "upload_limit: 64KiB");  // Longer logs have to be split.
  lab.hook("install", "#!/bin/sh\nseq 1 40000\nprintf 'caf\\303\\251 \\377\\000 end\\n'\n");
  lab.hook("test",
           "#!/bin/sh\necho '<testsuite><testcase name=\"a\"/><testcase name=\"b\"><failure message=\"no\"/></testcase>"
           "</testsuite>' > \"$OUTPOST_RESULTS/acme.xml\"\n"
           "head -c 50000 /dev/zero | tr '\\0' 'x' > \"$OUTPOST_ARTIFACTS/large.bin\"\n"
           ": > \"$OUTPOST_ARTIFACTS/empty\"\n"
           "printf odd > \"$OUTPOST_ARTIFACTS/caf\303\251 & more.txt\"\n"
           "head -c 70000 /dev/zero > \"$OUTPOST_ARTIFACTS/too-large.bin\"\nexit 1\n");
  lab.hook("collect", "#!/bin/sh\necho collecting\n");
  lab.feed("1.0", {{"notes.txt", "read me\n"}});
}

/// All that the server tells about its jobs, without what differs from one run to the next: ids, times, durations.
std::string dump(SampleLab& lab) {
  std::string text;
  for (const auto& job : lab.jobs()) {
    const std::string id = text_at(job, "id");
    text += "job " + text_at(job, "name") + " " + text_at(job, "status") + "\n";
    for (const auto& tag : job::texts_at(job, "tags"))
      text += "tag " + (tag.starts_with("outpost:") ? "outpost:*" : tag) + "\n";
    std::map<std::string, std::string> state_of;
    for (const auto& state : lab.jobstates(id)) {
      state_of[text_at(state, "id")] = text_at(state, "status");
      text += "state " + text_at(state, "status") + ": " + text_at(state, "comment") + "\n";
    }
    // Logs as their bytes in order: where they were cut is a matter of time.
    std::set<std::string> files, logs;
    for (const auto& file : lab.files(id)) {
      const std::string name = text_at(file, "name");
      const std::string where = " at " + state_of[text_at(file, "jobstate_id")] + ", " + text_at(file, "mime");
      if (const auto mark = name.rfind(".log@"); mark != std::string::npos)
        logs.insert("log " + name.substr(0, mark) + where + " " + sha256_hex(lab.log_of(id, name.substr(0, mark))));
      else if (!files.insert("file " + name + where + " " + sha256_hex(lab.content(text_at(file, "id")))).second)
        text += "TWICE " + name + "\n";
    }
    for (const auto& each : logs) text += each + "\n";
    for (const auto& each : files) text += each + "\n";
    for (const auto& result : lab.results(id)) {
      text += "result " + std::string{result.at("name").as_string()};
      for (const char* count : {"total", "success", "failures", "errors", "skips"})
        text += " " + std::to_string(result.at(count).as_int64());
      text += "\n";
    }
    for (const auto& [key, value] : lab.key_values(id))
      text += "value " + key + (key.ends_with("_seconds") ? "" : " " + std::to_string(value)) + "\n";
  }
  return text;
}

std::uint64_t count_of(SampleLab& lab, const char* which) {
  return static_cast<std::uint64_t>(number_at(lab.status().at("reporters").at(0).as_object(), which));
}

/// A lab whose one job has ended, and whose deliveries wait.
void run_cut_off(SampleLab& lab, const char* faults) {
  write_job(lab);
  lab.set_faults(faults);
  lab.start_agent();
  lab.until("the job to be claimed", [&] { return lab.jobs().size() == 1; });
  lab.until("the job to end", [&] {
    const auto list = lab.local("/api/v1/jobs").at("jobs").as_array();
    return list.size() == 1 && list[0].as_object().at("ended_at").is_string();
  });
}

/// The host that has a connection: the same credentials in a configuration of its own, no agent.
struct Gate {
  explicit Gate(SampleLab& its_lab) : lab{its_lab} {
    write_file(configuration,
               "sources:\n  upstream: {type: dci, credentials: " + (lab.directory.path / "agent/dcirc.sh").string() +
                   ", upload_limit: 64KiB}\nstate_directory: state\nruntime_directory: run\n");
    fs::create_directory(scratch);
  }

  int run(Names arguments) {
    fs::remove(out);
    arguments.insert(arguments.begin(), OUTPOST_COMMAND);
    Process command{arguments, out, {"TMPDIR=" + scratch.string()}};
    return command.wait();
  }
  int import(const fs::path& file, Names more = {}) {
    Names arguments{"spool", "import", "--config", configuration.string(), file.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const int status = run(arguments);
    CHECK(fs::is_empty(scratch));  // It cleans up after itself.
    return status;
  }
  int export_from_lab(const fs::path& file, Names more = {}) {
    Names arguments{"spool", "export", "--config", (lab.directory.path / "agent/outpost.yml").string(), file.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  int confirm_at_lab(const fs::path& file) {
    return run({"spool", "confirm", "--config", (lab.directory.path / "agent/outpost.yml").string(), file.string()});
  }
  [[nodiscard]] std::string said() const { return read_file(out); }

  SampleLab& lab;
  fs::path configuration = lab.directory.path / "gate/outpost.yml", out = lab.directory.path / "command.out",
           scratch = lab.directory.path / "gate/tmp", archive = lab.directory.path / "lab.tar.zst",
           receipt = lab.directory.path / "lab.receipt";
};

const std::string& direct() {
  static const std::string once = [] {
    SampleLab lab;
    write_job(lab);
    lab.start_agent();
    lab.until("the job", [&] { return lab.jobs().size() == 1 && lab.all_is_delivered(text_at(lab.jobs()[0], "id")); });
    return dump(lab);
  }();
  return once;
}

}  // namespace

TEST_CASE("what an archive brought is what a direct upload brings, however often it is brought", "[airgap]") {
  const char* faults = gap;
  bool daemon_runs = true;
  SECTION("exported by the daemon, never connected") {}
  SECTION("exported by the daemon, the connection was lost in the middle") { faults = late_gap; }
  SECTION("exported without the daemon") { daemon_runs = false; }
  SECTION("exported without the daemon, the connection was lost in the middle") {
    faults = late_gap;
    daemon_runs = false;
  }
  REQUIRE_THAT(direct(), holds("state failure: "));
  REQUIRE_THAT(direct(), holds("tag reason:tests-failed"));
  SampleLab lab;
  Gate gate{lab};
  run_cut_off(lab, faults);
  if (!daemon_runs) lab.stop_agent(SIGKILL);
  REQUIRE(dump(lab) != direct());

  CHECK(gate.export_from_lab(gate.archive) == 0);
  INFO("export: " << gate.said());
  // One artifact is too large for the server. Where nothing gets through, that may not have been noticed yet.
  const bool parked_before = gate.said().find("1 parked item not among them") != std::string::npos;
  REQUIRE(fs::exists(gate.archive));
  CHECK((fs::status(gate.archive).permissions() & fs::perms::mask) == (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(read_file(gate.archive).find(lab.secret) == std::string::npos);
  CHECK(gate.export_from_lab(gate.archive) == 1);
  CHECK_THAT(gate.said(), holds("exists; --force replaces it"));
  if (daemon_runs) lab.stop_agent(SIGKILL);

  lab.set_faults("[]");
  CHECK(gate.import(gate.archive) == (parked_before ? 0 : 1));
  CHECK_THAT(gate.said(), holds(parked_before ? "1 item had been parked before the export" : "too-large.bin: "));
  CHECK(dump(lab) == direct());

  CHECK(gate.import(gate.archive) == (parked_before ? 0 : 1));
  CHECK_THAT(gate.said(), holds(": 0 delivered, "));
  CHECK(dump(lab) == direct());

  // The lab is connected again.
  lab.start_agent();
  lab.until("the agent to be up", [&] { return lab.agent_is_up(); });
  lab.until("everything to be settled", [&] { return count_of(lab, "waiting") == 0; });
  CHECK(count_of(lab, "parked") == 1);
  CHECK(dump(lab) == direct());
  figure("F38", "lines of the server's dump that differ from a direct upload", dump(lab) == direct() ? "0" : "some",
         "0");
}

TEST_CASE("an import may be killed or interrupted, and done again", "[airgap]") {
  REQUIRE_FALSE(direct().empty());
  SampleLab lab;
  Gate gate{lab};
  run_cut_off(lab, gap);
  REQUIRE(gate.export_from_lab(gate.archive) == 0);
  lab.stop_agent(SIGKILL);
  std::mt19937 random{42};
  for (const int signal : {SIGKILL, SIGKILL, SIGTERM}) {
    // The server answers the n-th upload never: then the import is ended.
    lab.set_faults(R"([{"method": "POST", "path": "/api/v1/files", "nth": [)" + std::to_string(2 + random() % 4) +
                   R"(], "delay_after_ms": 600000}, {"method": "POST", "path": "/api/v1/jobs/*/kv", "drop": true}])");
    const auto before = lab.requests().size();
    Process import{{OUTPOST_COMMAND, "spool", "import", "--config", gate.configuration.string(), gate.archive.string()},
                   gate.out,
                   {"TMPDIR=" + gate.scratch.string()}};
    const auto enough = before + 5 + random() % 15;
    lab.until("the import to be busy", [&] { return lab.requests().size() >= enough; });
    import.signal(signal);
    CHECK(import.wait() == (signal == SIGKILL ? -SIGKILL : 1));
    // What one leaves that is killed, the next one removes.
    CHECK(fs::is_empty(gate.scratch) == (signal != SIGKILL));
  }
  CHECK_THAT(gate.said(), holds("import it again to go on"));
  lab.set_faults("[]");
  gate.import(gate.archive);
  CHECK(dump(lab) == direct());
  lab.start_agent();
  lab.until("the agent to be up", [&] { return lab.agent_is_up(); });
  lab.until("everything to be settled", [&] { return count_of(lab, "waiting") == 0; });
  CHECK(dump(lab) == direct());
}

TEST_CASE("marks for what the spool could not hold travel too, and an import keeps to the bandwidth", "[airgap]") {
  SampleLab lab;
  Gate gate{lab};
  write_job(lab);
  lab.configure("",
                "spool: {limit: 1MiB}\ndisk: {check: 100ms}\nlogs: {live_first: 50ms, live_longest: 50ms, live_pieces: "
                "100000}\n",
                "upload_limit: 64KiB");
  lab.hook("install", "#!/bin/sh\nfor n in 1 2 3 4 5 6 7 8 9; do seq ${n}00000 ${n}40000; sleep 0.2; done\n");
  lab.set_faults(gap);
  lab.start_agent();
  const auto given_up = [&] {
    const auto alarms = lab.status().at("alarms").as_array();
    return std::any_of(alarms.begin(), alarms.end(),
                       [](const auto& alarm) { return alarm.at("kind").as_string() == "data-loss"; });
  };
  lab.until("logs to be given up, and the job to end", [&] {
    if (lab.jobs().size() != 1 || !lab.agent_is_up() || !given_up()) return false;
    const auto list = lab.local("/api/v1/jobs").at("jobs").as_array();
    return list.size() == 1 && list[0].as_object().at("ended_at").is_string();
  });
  REQUIRE(gate.export_from_lab(gate.archive) == 0);
  lab.stop_agent(SIGKILL);
  lab.set_faults("[]");
  constexpr std::int64_t rate = 256 * 1024;
  write_file(gate.configuration, read_file(gate.configuration) + "spool: {bandwidth: " + std::to_string(rate) + "}\n");
  const auto begin = std::chrono::steady_clock::now();
  gate.import(gate.archive);
  const double seconds = std::chrono::duration<double>{std::chrono::steady_clock::now() - begin}.count();

  const auto contents = [&] {
    std::map<std::string, std::string> of_file;
    for (const auto& file : lab.files(text_at(lab.jobs()[0], "id")))
      CHECK(of_file.emplace(text_at(file, "name"), lab.content(text_at(file, "id"))).second);
    return of_file;
  };
  const auto arrived = contents();
  std::int64_t bytes = 0, marks = 0;
  for (const auto& [name, content] : arrived) {
    bytes += static_cast<std::int64_t>(content.size());
    marks += content.starts_with("[gap: ") && content.ends_with(" bytes, spool-full]\n");
  }
  CHECK(marks > 0);
  CHECK(bytes > rate);
  CHECK(seconds > 0.8 * static_cast<double>(bytes) / rate - 1);
  lab.start_agent();
  lab.until("the agent to be up", [&] { return lab.agent_is_up(); });
  lab.until("everything to be settled", [&] { return count_of(lab, "waiting") == 0; });
  for (const auto& [name, content] : contents()) {
    INFO(name << ": " << content.size() << " bytes: " << content.substr(0, 100));
    const auto before = arrived.find(name);
    REQUIRE(before != arrived.end());
    CHECK((before->second == content));
  }
}

TEST_CASE("a receipt settles in the lab what an import delivered, and frees its spool", "[airgap]") {
  bool daemon_runs = true;
  SECTION("told to the daemon") {}
  SECTION("told to the journal") { daemon_runs = false; }
  SampleLab lab;
  Gate gate{lab};
  run_cut_off(lab, late_gap);
  REQUIRE(gate.export_from_lab(gate.archive) == 0);
  const auto waiting = count_of(lab, "waiting");
  REQUIRE(waiting > 5);
  lab.stop_agent(SIGKILL);
  lab.set_faults("[]");
  gate.import(gate.archive, {"--receipt", gate.receipt.string()});
  const std::string arrived = dump(lab);
  CHECK(arrived == direct());

  lab.set_faults(gap);
  if (daemon_runs) {
    lab.start_agent();
    lab.until("the agent to be up", [&] { return lab.agent_is_up(); });
  }
  CHECK(gate.confirm_at_lab(gate.archive) == 1);
  CHECK_THAT(gate.said(), holds("no receipt but an archive of what waits"));
  CHECK(gate.import(gate.receipt) == 1);
  CHECK_THAT(gate.said(), holds("it is a receipt"));
  std::string forged = read_file(gate.receipt);
  forged[forged.size() / 2] ^= 1;
  write_file(lab.directory.path / "forged", forged);
  CHECK(gate.confirm_at_lab(lab.directory.path / "forged") == 1);
  CHECK_THAT(gate.said(), holds("not what was exported"));

  CHECK(gate.confirm_at_lab(gate.receipt) == 0);
  CHECK_THAT(gate.said(), holds("items for dci settled"));
  CHECK(gate.confirm_at_lab(gate.receipt) == 0);
  CHECK_THAT(gate.said(), holds("0 items for dci settled"));
  if (!daemon_runs) {
    lab.start_agent();
    lab.until("the agent to be up", [&] { return lab.agent_is_up(); });
  }
  CHECK(count_of(lab, "waiting") + count_of(lab, "parked") == 1);  // What is too large for the server.
  lab.set_faults("[]");
  lab.until("everything to be settled", [&] { return count_of(lab, "waiting") == 0; });
  CHECK(dump(lab) == arrived);
}

TEST_CASE("an archive that is not this lab's, or not whole, is refused and nothing is sent", "[airgap]") {
  SampleLab lab;
  Gate gate{lab};
  run_cut_off(lab, gap);
  REQUIRE(gate.export_from_lab(gate.archive) == 0);
  lab.stop_agent(SIGKILL);
  lab.set_faults("[]");
  const std::string whole = read_file(gate.archive), before = dump(lab);
  const auto refused = [&](const std::string& archive, const std::string& why) {
    write_file(gate.archive, archive);
    CHECK(gate.import(gate.archive) != 0);
    CHECK_THAT(gate.said(), holds(why));
  };
  const auto requests = lab.requests().size();
  std::string changed = whole;
  changed[changed.size() / 2] ^= 1;
  refused(changed, "not what was exported");
  refused(whole.substr(0, whole.size() / 2), "cut off");
  refused("hello", "no spool archive");
  write_file(gate.archive, whole);
  lab.renew_secret();
  lab.configure();
  const auto after_renewal = lab.requests().size();
  CHECK(gate.import(gate.archive) == 1);
  CHECK_THAT(gate.said(), holds("older secret of remoteci/" + lab.remoteci));
  const std::string credentials = read_file(lab.directory.path / "agent/dcirc.sh");
  write_file(lab.directory.path / "agent/dcirc.sh",
             replace_all(credentials, lab.remoteci, "00000000-0000-0000-0000-000000000000"));
  CHECK(gate.import(gate.archive) == 1);
  CHECK_THAT(gate.said(),
             holds("it is of remoteci/" + lab.remoteci + ", and the configuration is for remoteci/00000000"));
  CHECK(gate.import("/nowhere") == 1);
  CHECK(gate.import(gate.archive, {"--source", "other"}) == 2);
  CHECK(lab.requests().size() == after_renewal);
  CHECK(after_renewal > requests);
  CHECK(dump(lab) == before);
}

TEST_CASE("an export says what there is to say", "[airgap]") {
  SampleLab lab;
  Gate gate{lab};
  CHECK(gate.export_from_lab(gate.archive) == 1);
  CHECK_THAT(gate.said(), holds("journal.db cannot be found"));
  lab.hook("test", "#!/bin/sh\nexit 0\n");
  lab.start_agent();
  lab.until("the agent to be up", [&] { return lab.agent_is_up(); });
  CHECK(gate.export_from_lab(gate.archive) == 1);
  CHECK_THAT(gate.said(), holds("nothing waits for dci"));
  CHECK(gate.export_from_lab(gate.archive, {"--reporter", "other"}) == 1);
  CHECK_THAT(gate.said(), holds("there is no reporter \"other\"; there are: dci"));
  CHECK_FALSE(fs::exists(gate.archive));

  // The claim itself does not get through.
  lab.set_faults(R"([{"method": "POST", "path": "/api/v1/jobs", "drop": true}])");
  lab.feed("1.0", {});
  lab.until("the job to be queued", [&] { return lab.local("/api/v1/jobs").at("jobs").as_array().size() == 1; });
  CHECK(gate.export_from_lab(gate.archive) == 1);
  CHECK_THAT(gate.said(), holds("1 jobs are not claimed yet"));
  CHECK_FALSE(fs::exists(gate.archive));
  CHECK_FALSE(fs::exists(gate.archive.string() + ".partial"));
  CHECK(gate.run({"spool", "export"}) == 2);
  CHECK(gate.run({"spool", "export", "--config", "/nowhere.yml", "x"}) == 5);
}
