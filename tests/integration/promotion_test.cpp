// Phase 1 of the seed system with a builder's double, real registries and the real `outpost promote`: three jobs vote
// on an aggregate, its containers are pushed, and its label moves.

#include "integration/builder_lab.hpp"

#include "agent/job/event.hpp"
#include "support/catch.hpp"
#include "support/registry_server.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <cstdlib>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace outpost;
using namespace outpost::test;
using job::text_at;

bool available() {
  const bool there = std::system("command -v skopeo docker-registry >/dev/null 2>&1") == 0;
  if (!there) WARN("SKIPPED: promotion with containers: skopeo or docker-registry is not installed");
  return there;
}

json::object build(const std::string& project, const std::string& component, char digit) {
  return {{"project", project},
          {"component", component},
          {"commit", std::string(40, digit)},
          {"distro", std::string(40, 'd')},
          {"consistent", true}};
}

/// Two components, promoted as a batch to current-tripleo, and what a promoter needs beside the builder.
struct PromotionLab {
  BuilderLab lab;
  RegistryServer source, target;
  std::string aggregate, output;

  /// Builds a set and promotes it, as the job of the integration line does.
  void publish(char nova, char common) {
    json::array batch;
    for (const auto& each :
         {build("openstack-nova", "compute", nova), build("openstack-tripleo-common", "tripleo", common)}) {
      const auto fed = lab.feed(each);
      // The list of containers of this tripleo-common is served beside the web tree's own files.
      const fs::path directory = std::string{fed.at("directory").as_string()};
      const fs::path tree = directory.parent_path().parent_path().parent_path().parent_path().parent_path();
      write_file(tree / "lists" / std::string(40, common) / "list.yaml",
                 "container_images:\n- {image_source: tripleo, imagename: "
                 "quay.example.org/t/openstack-nova-api:current-tripleo}\n");
      batch.push_back(json::object{
          {"commit_hash", each.at("commit")}, {"distro_hash", each.at("distro")}, {"promote_name", "current-tripleo"}});
    }
    aggregate = text_at(lab.api("POST", "/promote-batch", batch).as_object(), "aggregate_hash");
    ImageDirectory images;
    images.add_list(aggregate);
    skopeo("copy --all --preserve-digests --quiet --dest-tls-verify=false " + images.reference() + " docker://" +
           image(source, aggregate));
    write_file(lab.directory.path / "master.yaml",
               "release: master\ndistro_name: centos\ndistro_version: 9\napi_url: " + lab.url +
                   "/api-centos9\nbase_url: " + lab.url + "/centos9\ncontainers_list_base_url: " + lab.url +
                   "/centos9/lists\ncontainers_list_path: list.yaml\nregistries:\n  - {type: source, host: \"" +
                   source.host() + "\", secure: false}\n  - {type: target, host: \"" + target.host() +
                   "\", secure: false}\npromotions:\n  current-tripleo-rdo:\n    candidate_label: current-tripleo\n    "
                   "criteria: [phase1-packstack, "
                   "phase1-puppet, phase1-minimal]\n");
  }
  void vote(const std::string& job, bool success = true) {
    lab.api("POST", "/report_result",
            json::object{{"job_id", job},
                         {"aggregate_hash", aggregate},
                         {"url", "https://logs.example.org"},
                         {"timestamp", 1795213159},
                         {"success", success}});
  }
  static std::string image(const RegistryServer& server, const std::string& tag) {
    return server.host() + "/tripleomaster/openstack-nova-api:" + tag;
  }
  static void skopeo(const std::string& arguments) {
    INFO(arguments);
    REQUIRE(std::system(("skopeo --insecure-policy " + arguments).c_str()) == 0);
  }
  std::string manifest(const RegistryServer& server, const std::string& tag) {
    const fs::path file = lab.directory.path / "manifest";
    const std::string command = "skopeo inspect --raw --tls-verify=false docker://" + image(server, tag) + " >" +
                                file.string() + " 2>/dev/null";
    return std::system(command.c_str()) == 0 ? read_file(file) : "";
  }
  int promote(const std::string& more = "") {
    const fs::path log = lab.directory.path / "promote.log";
    const std::string command = "DLRNAPI_USERNAME=ciuser DLRNAPI_PASSWORD=secret " OUTPOST_CLI " promote --config " +
                                (lab.directory.path / "master.yaml").string() + " --state " +
                                (lab.directory.path / "promoter").string() + " " + more + " >" + log.string() + " 2>&1";
    const int status = std::system(command.c_str());
    output = read_file(log);
    return WEXITSTATUS(status);
  }
  /// The aggregate that a label names.
  std::string label(const std::string& name) {
    const auto rows = lab.api("GET", "/promotions?limit=1&promote_name=" + name).as_array();
    return rows.empty() ? "" : text_at(rows[0].as_object(), "aggregate_hash");
  }
};

}  // namespace

TEST_CASE("An aggregate that three jobs have passed is promoted with its containers, then the next, then back",
          "[promotion]") {
  if (!available()) return;
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
