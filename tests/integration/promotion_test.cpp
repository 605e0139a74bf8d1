// Phase 1 of the seed system with a builder's double, real registries and the real `outpost promote`: three jobs vote
// on an aggregate, its containers are pushed, and its label moves.

#include "integration/promotion_lab.hpp"

#include "agent/base/text.hpp"
#include "support/catch.hpp"

#include <boost/json/object.hpp>

#include <utility>

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace outpost;
using namespace outpost::test;

TEST_CASE("An aggregate that three jobs have passed is promoted with its containers, then the next, then back",
          "[promotion]") {
  if (!promotion_is_possible()) return;
  PromotionLab lab;
  lab.publish('1', 'a');
  const std::string first = lab.aggregate;
  lab.vote("phase1-packstack");
  lab.vote("phase1-puppet");
  lab.vote("phase1-minimal", false);
  CHECK(lab.promote() == 0);
  INFO(lab.output);
  CHECK(lab.output.find("criteria not met") != std::string::npos);
  CHECK(lab.output.find("phase1-minimal: failed") != std::string::npos);
  CHECK(lab.label("current-tripleo-rdo").empty());
  CHECK(lab.manifest(lab.target, "current-tripleo-rdo").empty());

  lab.vote("phase1-minimal");
  CHECK(lab.promote("--dry-run") == 0);
  CHECK(lab.label("current-tripleo-rdo").empty());
  CHECK(lab.promote() == 0);
  INFO(lab.output);
  CHECK(lab.label("current-tripleo-rdo") == first);
  const std::string manifest = lab.manifest(lab.source, first);
  REQUIRE_FALSE(manifest.empty());
  for (const RegistryServer* server : {&lab.source, &lab.target})
    CHECK(lab.manifest(*server, "current-tripleo-rdo") == manifest);
  CHECK(lab.manifest(lab.target, first) == manifest);
  CHECK(lab.promote() == 0);
  CHECK(lab.output.find("nothing new") != std::string::npos);

  lab.publish('2', 'b');
  REQUIRE(lab.aggregate != first);
  for (const char* job : {"phase1-packstack", "phase1-puppet", "phase1-minimal"}) lab.vote(job);
  CHECK(lab.promote() == 0);
  INFO(lab.output);
  CHECK(lab.label("current-tripleo-rdo") == lab.aggregate);
  CHECK(lab.label("previous-current-tripleo-rdo") == first);
  CHECK(lab.manifest(lab.target, "current-tripleo-rdo") == lab.manifest(lab.source, lab.aggregate));

  CHECK(lab.promote("--target current-tripleo-rdo --roll-back --reason 'breaks deployments'") == 0);
  INFO(lab.output);
  CHECK(lab.label("current-tripleo-rdo") == first);
  CHECK(lab.manifest(lab.target, "current-tripleo-rdo") == manifest);
}

TEST_CASE("Phase 1 of the sample pipeline takes a hash from its votes to its next label", "[promotion]") {
  if (!promotion_is_possible()) return;
  PromotionLab lab;
  const fs::path here = lab.lab.directory.path;
  // One of its scenarios fails as long as a file says so.
  const fs::path broken = here / "broken";
  lab.copy_samples("[ \"$1\" != 002 ] || [ ! -e " + broken.string() + " ]");
  write_file(broken, "");

  lab.publish('1', 'a');
  const std::string first = lab.aggregate;
  lab.lab.start_agent();
  lab.lab.wait_for_jobs(3);
  const std::string votes = "/agg_status?aggregate_hash=";
  for (const auto& [job, success] : {std::pair{"weirdo-packstack-scenario001", true}, {"weirdo-packstack-scenario002", false}, {"weirdo-puppet-scenario004", true}}) {
    INFO(job);
    const auto found = lab.lab.votes(votes + first, job);
    REQUIRE(found.size() == 1);
    CHECK(found[0].at("success") == success);
  }
  CHECK(lab.promote("", "rdo-promote.yml") == 0);
  INFO(lab.output);
  CHECK(lab.output.find("weirdo-packstack-scenario002: failed") != std::string::npos);
  CHECK(lab.label("current-tripleo-rdo").empty());

  fs::remove(broken);
  lab.publish('2', 'b');
  lab.lab.wait_for_jobs(6);
  CHECK(lab.promote("", "rdo-promote.yml") == 0);
  CHECK(lab.label("current-tripleo-rdo") == lab.aggregate);
  const std::string manifest = lab.manifest(lab.source, lab.aggregate);
  REQUIRE_FALSE(manifest.empty());
  CHECK(lab.manifest(lab.target, "current-tripleo-rdo") == manifest);
  CHECK(lab.manifest(lab.target, first).empty());
}
