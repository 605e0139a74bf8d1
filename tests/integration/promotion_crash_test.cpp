// Promotions of the sample pipeline by the daemon: what it says of them, and what becomes of those that are killed at any
// event of their journal.

#include "integration/promotion_lab.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "support/catch.hpp"

#include <boost/json/array.hpp>

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace outpost;
using namespace outpost::test;
using job::text_at;

namespace {

constexpr const char* duty = "promotions: {phase1: {config: ../rdo-promote.yml, credentials: dlrnapi.sh, every: 1s}}\n";

/// What the daemon says of its one promotion; empty while it is not there to be asked.
json::object promotion_of(PromotionLab& lab) {
  if (!fs::exists(lab.lab.directory.path / "agent/run/api.sock")) return {};
  try {
    const auto status = lab.lab.local("/api/v1/status");
    const auto& all = status.at("promotions").as_array();
    return all.empty() ? json::object{} : all.front().as_object();
  } catch (const std::runtime_error&) {
    return {};  // It is still starting.
  }
}

/// Whether a run of the daemon has ended with this since it was started.
bool has_run(PromotionLab& lab, const std::string& outcome) {
  const auto promotion = promotion_of(lab);
  return !promotion.empty() && job::number_at(promotion.at("runs").as_object(), outcome) > 0;
}

/// Sets of packages that come one after the other, each tested by everybody before it is promoted.
struct Line {
  PromotionLab lab;
  std::string older, before, now;
  int sets = 0;

  Line() {
    lab.copy_samples();
    // Nothing but promotions: the votes are there.
    write_file(lab.lab.directory.path / "agent/outpost.yml", std::string{duty} + "state_directory: state\nruntime_directory: run\n");
    publish();
    REQUIRE(promote(0) == 0);
    REQUIRE(lab.label("current-tripleo-rdo") == now);
  }
  void publish() {
    before = now;
    const char digit = "123456789abcdef"[sets++];
    lab.publish(digit, digit);
    now = lab.aggregate;
    for (const char* job : {"weirdo-packstack-scenario001", "weirdo-packstack-scenario002", "weirdo-puppet-scenario004"}) lab.vote(job);
  }
  /// Until its n-th event is durable; 137 when there was one.
  int promote(unsigned fatal) {
    const fs::path here = lab.lab.directory.path;
    return lab.run(std::string{OUTPOST_CRASH_PROMOTER} + " " + (here / "rdo-promote.yml").string() + " " + (here / "agent/state/promoter").string() + " " + std::to_string(fatal));
  }
  std::string name_of(const std::string& hash) const {
    return hash.empty() ? "nothing" : hash == now ? "now" : hash == before ? "before" : hash == older ? "older" : "another";
  }
  /// What everybody finds: the builder's labels with the rows that they have had, and the tags in the registries.
  std::string state(std::size_t rows_before) {
    const auto rows = lab.lab.api("GET", "/promotions?promote_name=current-tripleo-rdo").as_array().size();
    std::string text = "label " + name_of(lab.label("current-tripleo-rdo")) + ", previous " + name_of(lab.label("previous-current-tripleo-rdo")) +
                       ", rows " + std::to_string(rows - rows_before);
    for (const RegistryServer* server : {&lab.source, &lab.target}) {
      const std::string tagged = lab.manifest(*server, "current-tripleo-rdo");
      text += std::string{", tag "} + (tagged == lab.manifest(lab.source, now) ? "now" : tagged == lab.manifest(lab.source, before) ? "before" : "another");
    }
    return text;
  }
  std::size_t rows() { return lab.lab.api("GET", "/promotions?promote_name=current-tripleo-rdo").as_array().size(); }

  /// A promotion that is killed at its n-th event, with a run of the daemon after it. Whether there was such an event.
  bool killed_at(unsigned fatal, const std::string& daemon_ends) {
    const bool killed = promote(fatal) == 137;
    lab.lab.start_agent();
    lab.lab.until("the daemon's own run", [&] { return has_run(lab, daemon_ends); });
    lab.lab.kill_agent();
    return killed;
  }
};

}  // namespace

TEST_CASE("The daemon promotes by itself, and says so", "[promotion]") {
  if (!promotion_is_possible()) return;
  PromotionLab lab;
  lab.copy_samples();
  const fs::path configuration = lab.lab.directory.path / "agent/outpost.yml";
  write_file(configuration, read_file(configuration) + duty);
  CHECK(lab.run(OUTPOST_CLI " config check --config " + configuration.string()) == 0);
  INFO(lab.output);
  lab.publish('1', 'a');
  lab.lab.start_agent();
  lab.lab.until("the promotion", [&] {
    const auto promotion = promotion_of(lab);
    return !promotion.empty() && !promotion.at("targets").as_array().empty() && !promotion.at("targets").at(0).at("last_hash").is_null();
  });
  CHECK(lab.label("current-tripleo-rdo") == lab.aggregate);
  const std::string manifest = lab.manifest(lab.source, lab.aggregate);
  REQUIRE_FALSE(manifest.empty());
  CHECK(lab.manifest(lab.target, "current-tripleo-rdo") == manifest);
  const auto promotion = promotion_of(lab);
  CHECK(promotion.at("release") == "centos9-master");
  CHECK(text_at(promotion.at("targets").at(0).as_object(), "last_hash") == lab.aggregate);

  const std::string outpost = OUTPOST_CLI, by = " --config " + configuration.string();
  CHECK(lab.run(outpost + " status" + by) == 0);
  CHECK(lab.output.find("promotion phase1  centos9-master") != std::string::npos);
  CHECK(lab.output.find("current-tripleo-rdo: ") != std::string::npos);
  CHECK(lab.run(outpost + " status --json" + by) == 0);
  CHECK(lab.run("curl -s --unix-socket " + (lab.lab.directory.path / "agent/run/api.sock").string() + " http://localhost/metrics") == 0);
  CHECK(lab.output.find("outpost_promoted_total{promotion=\"phase1\",target=\"current-tripleo-rdo\"} 1\n") != std::string::npos);
  CHECK(lab.output.find("outpost_promotion_failing{promotion=\"phase1\"} 0\n") != std::string::npos);
  // The command has the same history.
  lab.lab.until("the history", [&] {
    // It is the daemon's while a run of it goes on.
    return lab.run(outpost + " promote --history --config " + (lab.lab.directory.path / "rdo-promote.yml").string() + " --state " +
                   (lab.lab.directory.path / "agent/state/promoter").string()) == 0;
  });
  CHECK(lab.output.find("current-tripleo -> current-tripleo-rdo  " + lab.aggregate + "  promoted") != std::string::npos);

  lab.target.stop();
  lab.publish('2', 'b');
  lab.lab.until("the failure", [&] { return has_run(lab, "failed"); });
  const auto status = lab.lab.local("/api/v1/status");
  const auto& alarms = status.at("alarms").as_array();
  REQUIRE(alarms.size() == 1);
  CHECK(text_at(alarms[0].as_object(), "key") == "promotion/phase1");
  CHECK(lab.label("current-tripleo-rdo") != lab.aggregate);
  lab.target.start();
  lab.lab.until("the next success", [&] { return lab.label("current-tripleo-rdo") == lab.aggregate; });
  lab.lab.until("the end of the alarm", [&] { return lab.lab.local("/api/v1/status").at("alarms").as_array().empty(); });
}

TEST_CASE("Killed at any event of its journal, a promotion is finished by the daemon's next run", "[promotion]") {
  if (!promotion_is_possible()) return;
  Line line;
  unsigned events = 0;
  for (bool killed = true; killed;) {
    line.publish();
    const auto rows = line.rows();
    killed = line.killed_at(events + 1, "well");
    INFO("killed at event " << events + 1 << "\n" << line.lab.output);
    CHECK(line.state(rows) == "label now, previous before, rows 1, tag now, tag now");
    events += killed ? 1 : 0;
  }
  // begun, two places begun and ended, ended
  CHECK(events == 6);
}

TEST_CASE("Killed at any event of its journal, a promotion that is put back is so by the daemon's next run", "[promotion]") {
  if (!promotion_is_possible()) return;
  Line line;
  line.older = line.now;
  line.publish();
  REQUIRE(line.promote(0) == 0);
  const std::string kept = line.now;
  unsigned events = 0;
  for (bool killed = true; killed;) {
    line.publish();
    line.before = kept;
    // The builder has it no more: its label cannot move, when all else has.
    const char digit = "123456789abcdef"[line.sets - 1];
    line.lab.lab.feed({{"commit", std::string(40, digit)}, {"distro", std::string(40, 'd')}}, "/_feed/purge");
    const auto rows = line.rows();
    killed = line.killed_at(events + 1, "failed");
    INFO("killed at event " << events + 1 << "\n" << line.lab.output);
    CHECK(line.state(rows) == "label before, previous older, rows 0, tag before, tag before");
    events += killed ? 1 : 0;
  }
  // begun, containers begun and ended, dlrn begun, undoing, both put back, ended
  CHECK(events == 8);
}
