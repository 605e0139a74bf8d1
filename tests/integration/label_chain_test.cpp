// The chain of labels, from the tests of a component to those of the whole: the real `outpost promote` moves hashes of
// components, and the real outpostd tests what they add up to.

#include "integration/builder_lab.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "support/catch.hpp"

#include <boost/json/array.hpp>

#include <cstdlib>
#include <utility>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace outpost;
using namespace outpost::test;
using job::text_at;

const std::string distro(40, 'd');

/// Two components, each with its own line of tests.
struct ComponentLine {
  BuilderLab lab;
  std::string output;

  ComponentLine() {
    write_file(lab.directory.path / "line.yaml", "release: master\ndistro_name: centos\ndistro_version: 9\napi_url: " + lab.url +
                                                     "/api-centos9\nbase_url: " + lab.url +
                                                     "/centos9/\npromote_from:\n  promoted-components: component-ci-testing\n"
                                                     "promoted-components:\n  compute: [compute-standalone]\n"
                                                     "  network: [network-standalone]\n  swift:\n");
  }
  /// Builds one, and makes it what its component tests next.
  json::object build(const std::string& component, char digit) {
    json::object made{{"project", "openstack-" + component}, {"component", component}, {"commit", std::string(40, digit)},
                      {"distro", distro}, {"consistent", true}};
    lab.feed(made);
    lab.api("POST", "/promote", {{"commit_hash", made["commit"]}, {"distro_hash", distro}, {"promote_name", "component-ci-testing"}});
    return made;
  }
  void vote(const json::object& build, const std::string& job, bool success = true) {
    lab.api("POST", "/report_result", {{"job_id", job}, {"commit_hash", build.at("commit")}, {"distro_hash", distro},
                                       {"url", "https://logs.example.org"}, {"timestamp", 1795213159}, {"success", success}});
  }
  int promote(const std::string& more = "") {
    const fs::path here = lab.directory.path;
    const int status = std::system(("DLRNAPI_USERNAME=ciuser DLRNAPI_PASSWORD=secret " OUTPOST_CLI " promote --config " + (here / "line.yaml").string() +
                                    " --state " + (here / "promoter").string() + " " + more + " >" + (here / "promote.log").string() + " 2>&1").c_str());
    output = read_file(here / "promote.log");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  /// The first digit of the commit that a component's label names.
  std::string label(const std::string& component, const std::string& name = "promoted-components") {
    const auto rows = lab.api("GET", "/promotions?limit=1&component=" + component + "&promote_name=" + name).as_array();
    return rows.empty() ? "" : text_at(rows[0].as_object(), "commit_hash").substr(0, 1);
  }
  std::string aggregate() {
    return text_at(lab.api("GET", "/promotions?limit=1&promote_name=promoted-components").as_array().at(0).as_object(), "aggregate_hash");
  }
};

}  // namespace

TEST_CASE("Each component is promoted by its own jobs, and what they add up to is tested whenever it changes", "[dlrn]") {
  ComponentLine line;
  line.lab.configure("promoted-components");
  line.lab.hook("test", "#!/bin/sh\ngrep -c baseurl \"$OUTPOST_COMPONENT_DELOREAN_PATH/delorean.repo\"\n");
  const auto nova = line.build("compute", '1'), neutron = line.build("network", '2');
  line.vote(nova, "compute-standalone");
  line.vote(neutron, "network-standalone", false);
  CHECK(line.promote() == 0);
  INFO(line.output);
  CHECK(line.output.find("component/compute/promoted-components (from component-ci-testing): promoted") != std::string::npos);
  CHECK(line.output.find("component/network/promoted-components (from component-ci-testing): criteria not met") != std::string::npos);
  CHECK(line.output.find("swift has no jobs, so nothing of it is promoted") != std::string::npos);
  CHECK(line.label("compute") == "1");
  CHECK(line.label("network").empty());
  const std::string of_one = line.aggregate();
  line.lab.start_agent();
  line.lab.wait_for_jobs(1);
  CHECK(line.lab.votes("/agg_status?aggregate_hash=" + of_one).size() == 1);

  line.vote(neutron, "network-standalone");
  CHECK(line.promote() == 0);
  CHECK(line.label("network") == "2");
  const std::string of_both = line.aggregate();
  REQUIRE(of_both != of_one);
  line.lab.wait_for_jobs(2);
  CHECK(line.lab.votes("/agg_status?aggregate_hash=" + of_both).size() == 1);

  // Nothing new: no promotion, and so no job.
  CHECK(line.promote() == 0);
  CHECK(line.output.find("promoted 0 hashes") != std::string::npos);
  CHECK(line.aggregate() == of_both);

  const auto newer = line.build("compute", '3');
  line.vote(newer, "compute-standalone");
  CHECK(line.promote("--target component/compute/promoted-components") == 0);
  INFO(line.output);
  CHECK(line.label("compute") == "3");
  CHECK(line.label("compute", "previous-promoted-components") == "1");
  CHECK(line.label("network", "previous-promoted-components").empty());
  line.lab.wait_for_jobs(3);
  CHECK(line.lab.votes("/agg_status?aggregate_hash=" + line.aggregate()).size() == 1);

  CHECK(line.promote("--target promoted-components --roll-back --reason 'which one?'") == 5);
  CHECK(line.output.find("several of its targets; name one") != std::string::npos);
  CHECK(line.promote("--target component/compute/promoted-components --roll-back --reason 'breaks the others'") == 0);
  INFO(line.output);
  CHECK(line.label("compute") == "1");
  CHECK(line.label("network") == "2");
  CHECK(line.aggregate() == of_both);
  CHECK(line.promote("--history") == 0);
  CHECK(line.output.find("previous-promoted-components -> component/compute/promoted-components") != std::string::npos);
}

TEST_CASE("A job runs on the newest of a label when another has passed it, and not where it has voted itself", "[dlrn]") {
  ComponentLine line;
  line.lab.configure("{promoted: component-ci-testing, component: compute, after: build-images}");
  line.lab.hook("test", "#!/bin/sh\ngrep -q openstack-compute \"$OUTPOST_COMPONENT_COMPUTE_PATH/commit.yaml\"\n");
  const auto votes = [&](const json::object& build) {
    return line.lab.votes("/repo_status?commit_hash=" + text_at(build, "commit") + "&distro_hash=" + distro).size();
  };
  const auto failed = line.build("compute", '1');
  line.vote(failed, "build-images", false);
  line.lab.start_agent();
  // Somebody else has run it there already: the agent's vote would be a second one.
  const auto known = line.build("compute", '2');
  line.vote(known, "nightly");
  line.vote(known, "build-images");
  const auto due = line.build("compute", '3');
  line.vote(due, "build-images");
  line.lab.wait_for_jobs(1);
  CHECK(votes(due) == 1);
  CHECK(votes(known) == 1);
  CHECK(votes(failed) == 0);
}

TEST_CASE("Whatever a builder answers, a promotion says what is wrong and moves nothing, or moves it once", "[dlrn]") {
  ComponentLine line;
  const auto nova = line.build("compute", '1');
  line.build("network", '2');
  line.vote(nova, "compute-standalone");
  const auto rows = [&] { return line.lab.api("GET", "/promotions?promote_name=promoted-components").as_array().size(); };
  /// Fails, says so, and leaves everything as it is.
  const auto refuses = [&](const std::string& words, const std::string& more = "--target component/compute/promoted-components") {
    CHECK(line.promote(more) == 1);
    INFO(line.output);
    CHECK(line.output.find(words) != std::string::npos);
    line.lab.feed({{"path", "/"}, {"times", 0}}, "/_feed/fail");
    CHECK(rows() == 0);
  };
  const auto answers_with = [&](const std::string& path, int status, int times) {
    line.lab.feed({{"path", path}, {"status", status}, {"times", times}}, "/_feed/fail");
  };
  SECTION("pages instead of answers, to any question") {
    for (const auto& [path, status] : {std::pair{"/api/promotions", 502}, {"/api/repo_status", 503}, {"/api/promote", 500}}) {
      answers_with(path, status, 1000);
      refuses(std::to_string(status));
    }
  }
  SECTION("purged") {
    line.lab.feed({{"commit", nova.at("commit")}, {"distro", distro}}, "/_feed/purge");
    refuses("purged");
  }
  SECTION("of two promoters at once one gets a 500, and tries again") {
    answers_with("/api/promote", 500, 1);
    CHECK(line.promote("--target component/compute/promoted-components") == 0);
    INFO(line.output);
    CHECK(line.label("compute") == "1");
    CHECK(rows() == 1);
  }
  SECTION("an answer that is lost is read back") {
    line.lab.feed({{"path", "/api/promote"}, {"times", 1}}, "/_feed/lose");
    CHECK(line.promote("--target component/compute/promoted-components") == 0);
    CHECK(line.label("compute") == "1");
    CHECK(rows() == 1);
  }
  const fs::path file = line.lab.directory.path / "line.yaml";
  const std::string configuration = read_file(file);
  SECTION("a label that nobody knows") {
    write_file(file, replace_all(configuration, "component-ci-testing", "component-ci-tasting"));
    refuses("nothing was ever promoted to component/compute/component-ci-tasting");
  }
  SECTION("jobs that nobody knows") {
    write_file(file, replace_all(configuration, "compute-standalone", "compute-standalne"));
    CHECK(line.promote("--target component/compute/promoted-components") == 0);
    INFO(line.output);
    CHECK(line.output.find("no candidate has ever had a vote of compute-standalne; did you mean compute-standalone?") != std::string::npos);
    CHECK(rows() == 0);
  }
  SECTION("an aggregate whose file was changed after it was published") {
    line.lab.api("POST", "/promote", {{"commit_hash", nova.at("commit")}, {"distro_hash", distro}, {"promote_name", "tripleo-ci-testing"}});
    const std::string aggregate = text_at(line.lab.api("GET", "/promotions?limit=1&promote_name=tripleo-ci-testing").as_array().at(0).as_object(), "aggregate_hash");
    line.lab.api("POST", "/report_result", {{"job_id", "phase1"}, {"aggregate_hash", aggregate}, {"url", "u"}, {"timestamp", 1795213159}, {"success", true}});
    write_file(file, "release: master\napi_url: " + line.lab.url + "/api-centos9\nbase_url: " + line.lab.url +
                         "/centos9\npromotions: {current-tripleo: {candidate_label: tripleo-ci-testing, criteria: [phase1]}}\n");
    const fs::path repository = line.lab.directory.path / "builder/tree/tripleo-ci-testing" / aggregate.substr(0, 2) / aggregate.substr(2, 2) / aggregate / "delorean.repo";
    const std::string published = read_file(repository);
    write_file(repository, published + "# changed\n");
    refuses("has the MD5", "");
    CHECK(line.lab.api("GET", "/promotions?promote_name=current-tripleo").as_array().empty());
    write_file(repository, published);
    CHECK(line.promote() == 0);
    INFO(line.output);
    CHECK(text_at(line.lab.api("GET", "/promotions?promote_name=current-tripleo").as_array().at(0).as_object(), "aggregate_hash") == aggregate);
  }
}
