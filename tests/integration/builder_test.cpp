// A package builder's hash, end to end: built, consistent, tested by the real outpostd, voted for.

#include "integration/builder_lab.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "support/catch.hpp"
#include "support/kerberos_realm.hpp"

#include <boost/json/array.hpp>

#include <cstdio>
#include <cstdlib>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace outpost;
using namespace outpost::test;
using job::text_at;

const std::string commit = "ab12" + std::string(36, '0'), distro = "cd34" + std::string(36, '0');
const std::string by_build = "/repo_status?commit_hash=" + commit + "&distro_hash=" + distro;

json::object nova(const std::string& component = "compute") {
  return {{"project", "openstack-nova"}, {"component", component}, {"commit", commit}, {"distro", distro}, {"consistent", true}};
}

}  // namespace

TEST_CASE("A build that becomes consistent is tested, and the builder has one vote for it", "[dlrn]") {
  BuilderLab lab;
  lab.configure("component/compute/consistent", "\"logs_url\": \"https://logs.example.org/{job}/\"");
  lab.hook("test", "#!/bin/sh\ncd \"$OUTPOST_COMPONENT_COMPUTE_PATH\"\ngrep baseurl delorean.repo && grep openstack-nova commit.yaml versions.csv\n");
  lab.feed(nova());
  lab.start_agent();
  lab.wait_for_jobs(1);
  const auto votes = lab.votes(by_build);
  REQUIRE(votes.size() == 1);
  CHECK(votes[0].at("success") == true);
  CHECK(text_at(votes[0], "user") == "ciuser");
  CHECK(text_at(votes[0], "notes").starts_with("outpost "));
  CHECK(text_at(votes[0], "url") == "https://logs.example.org/" + text_at(votes[0], "notes").substr(8, 36) + "/");
  CHECK(lab.local("/api/v1/status").at("alarms").as_array().empty());

  SECTION("and the next build is the next job, with an extended hash of its own") {
    auto next = nova();
    next["extended"] = std::string(40, 'e') + '_' + std::string(40, 'f');
    lab.feed(next);
    lab.wait_for_jobs(2);
    CHECK(lab.votes(by_build + "&extended_hash=" + std::string{next["extended"].as_string()}).size() == 1);
  }
}

TEST_CASE("A package is built and fed, installed from its repository by the agent, tested, and voted for", "[dlrn]") {
  if (std::system("command -v rpmbuild createrepo_c dnf jq curl >/dev/null 2>&1") != 0) {
    std::puts("SKIPPED: building and installing a package: rpmbuild, createrepo_c, dnf, jq and curl are not all here");
    return;
  }
  BuilderLab lab;
  lab.configure("component/compute/consistent");
  lab.hook("install", "#!/bin/sh\nset -e\nmkdir root\n"
                      "dnf -y -q --installroot=\"$PWD/root\" --releasever=9 --setopt=reposdir=\"$OUTPOST_COMPONENT_COMPUTE_PATH\" install storage-driver\n");
  lab.hook("test", "#!/bin/sh\ngrep '^2.5 ' root/usr/share/storage-driver/version\n");
  lab.start_agent();
  const std::string feed = std::string{OUTPOST_SAMPLE_FEED} + " --server " + lab.url + " --project storage-driver --component compute --version 2.5 --commit " +
                           commit + " --distro " + distro + " >>" + (lab.directory.path / "feed.log").string() + " 2>&1";
  const int fed = std::system(feed.c_str());
  INFO(read_file(lab.directory.path / "feed.log"));
  REQUIRE(fed == 0);
  lab.wait_for_jobs(1);
  const auto votes = lab.votes(by_build);
  REQUIRE(votes.size() == 1);
  INFO(text_at(votes[0], "notes"));
  CHECK(votes[0].at("success") == true);
}

TEST_CASE("An aggregate that was promoted is tested, and a test that fails votes against it", "[dlrn]") {
  BuilderLab lab;
  lab.configure("tripleo-ci-testing");
  lab.hook("test", "#!/bin/sh\ncd \"$OUTPOST_COMPONENT_DELOREAN_PATH\"\ngrep -c baseurl delorean.repo\ncat components/network/commit.yaml\nexit 1\n");
  auto neutron = nova("network");
  neutron["commit"] = "ef56" + std::string(36, '0');
  lab.feed(nova());
  lab.feed(neutron);
  const auto promoted = lab.api("POST", "/promote-batch", json::array{{{"commit_hash", commit}, {"distro_hash", distro}, {"promote_name", "tripleo-ci-testing"}},
                                                                      {{"commit_hash", neutron["commit"]}, {"distro_hash", distro}, {"promote_name", "tripleo-ci-testing"}}});
  const std::string aggregate{promoted.at("aggregate_hash").as_string()};
  lab.start_agent();
  lab.wait_for_jobs(1);
  const auto votes = lab.votes("/agg_status?aggregate_hash=" + aggregate);
  REQUIRE(votes.size() == 1);
  CHECK(votes[0].at("success") == false);
  CHECK_THAT(text_at(votes[0], "notes"), holds("failure: test: acme/test exited with status 1"));
}

TEST_CASE("A builder without components, with protected reads, is tested too", "[dlrn]") {
  BuilderLab lab{{"--single", "--protected-reads"}};
  lab.configure("consistent", "protected_reads: true");
  lab.hook("test", "#!/bin/sh\ntest -s \"$OUTPOST_COMPONENT_DELOREAN_PATH/commit.yaml\"\n");
  lab.feed(nova(""));
  lab.start_agent();
  lab.wait_for_jobs(1);
  REQUIRE(lab.votes(by_build).size() == 1);
  CHECK(lab.votes(by_build)[0].at("success") == true);
}

TEST_CASE("Of builds that differ in their extended hash the one that was promoted is tested and voted on", "[dlrn]") {
  const std::string older = std::string(40, 'a') + '_' + std::string(40, 'b'), newer = std::string(40, 'c') + '_' + std::string(40, 'd');
  BuilderLab lab;
  lab.configure("component/compute/component-ci-testing");
  lab.hook("test", "#!/bin/sh\ngrep 'extended_hash: " + older + "' \"$OUTPOST_COMPONENT_COMPUTE_PATH/commit.yaml\"\n");
  for (const auto& extended : {older, newer}) {
    auto build = nova();
    build["extended"] = extended;
    lab.feed(build);
  }
  lab.api("POST", "/promote", {{"commit_hash", commit}, {"distro_hash", distro}, {"extended_hash", older}, {"promote_name", "component-ci-testing"}});
  lab.start_agent();
  lab.wait_for_jobs(1);
  const auto votes = lab.votes(by_build + "&extended_hash=" + older);
  REQUIRE(votes.size() == 1);
  CHECK(votes[0].at("success") == true);
  CHECK(lab.votes(by_build).empty());  // Of the newest.
}

TEST_CASE("A builder that wants tickets gets them, and those of new keys without a restart", "[dlrn]") {
  if (!KerberosRealm::is_possible()) {
    std::puts("SKIPPED: a builder with Kerberos: krb5-kdc and krb5-admin-server are not installed");
    return;
  }
  const KerberosRealm realm;
  const fs::path keytab = realm.directory.path / "client.keytab";
  BuilderLab lab{{"--protected-reads", "--keytab", (realm.directory.path / "server.keytab").string(), "--writer", "tester", "--writer", "successor"}};
  lab.configure("component/compute/consistent", "protected_reads: true, authentication: kerberos, keytab: \"" + keytab.string() + "\", server_principal: HTTP/builder.example.org@OUTPOST.TEST");
  lab.hook("test", "#!/bin/sh\nexit 0\n");
  lab.feed(nova());
  lab.start_agent();
  lab.wait_for_jobs(1);
  REQUIRE(lab.votes(by_build).size() == 1);
  CHECK(text_at(lab.votes(by_build)[0], "user") == "tester");

  realm.replace(keytab, "successor");
  auto next = nova();
  next["extended"] = "second";
  lab.feed(next);
  lab.wait_for_jobs(2);
  const auto votes = lab.votes(by_build + "&extended_hash=second");
  REQUIRE(votes.size() == 1);
  CHECK(text_at(votes[0], "user") == "successor");
}

TEST_CASE("What another job has tested is taken with a vote in progress", "[dlrn]") {
  BuilderLab lab;
  lab.configure("{tested: first, success: true}");
  lab.hook("test", "#!/bin/sh\nexit 0\n");
  lab.feed(nova());
  lab.api("POST", "/report_result", {{"job_id", "first"}, {"commit_hash", commit}, {"distro_hash", distro}, {"url", "u"}, {"timestamp", 1795213159}, {"success", true}});
  lab.start_agent();
  lab.wait_for_jobs(1);
  std::size_t in_progress = 0;
  const auto rows = lab.api("GET", by_build);
  for (const auto& row : rows.as_array()) in_progress += row.at("job_id") == "nightly" && row.at("in_progress") == true;
  CHECK(in_progress == 1);
  CHECK(lab.votes(by_build).size() == 1);
}

TEST_CASE("A vote whose answer is lost, and whose agent is killed then, is at the builder once", "[dlrn]") {
  BuilderLab lab;
  lab.configure("component/compute/consistent");
  lab.hook("test", "#!/bin/sh\nexit 0\n");
  lab.feed({{"path", "/api/report_result"}, {"times", 1}}, "/_feed/lose");
  lab.feed(nova());
  lab.start_agent();
  lab.until("the lost vote", [&] { return lab.builder_log().find("/api/report_result 201 lost") != std::string::npos; });
  lab.kill_agent();
  lab.start_agent();
  lab.wait_for_jobs(1);
  CHECK(lab.votes(by_build).size() == 1);
  // Before anything is sent again, the votes are read.
  const std::string log = lab.builder_log();
  CHECK_THAT(log.substr(log.find(" lost")), holds("/api/repo_status"));
}

TEST_CASE("An agent that is killed in the middle of a test votes once, and says why", "[dlrn]") {
  BuilderLab lab;
  lab.configure("component/compute/consistent");
  const fs::path running = lab.directory.path / "running", go = lab.directory.path / "go";
  lab.hook("test", waiting_hook(running, go));
  lab.feed(nova());
  lab.start_agent();
  lab.until("the test", [&] { return fs::exists(running); });
  lab.kill_agent();
  write_file(go, "");
  lab.start_agent();
  lab.wait_for_jobs(1);
  const auto votes = lab.votes(by_build);
  REQUIRE(votes.size() == 1);
  CHECK(votes[0].at("success") == false);
  CHECK_THAT(text_at(votes[0], "notes"), holds("agent restarted"));
}
