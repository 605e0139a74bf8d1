// Phase 1 of the seed system with a builder's double, real registries and the real `outpost promote`: three jobs vote
// on an aggregate, its containers are pushed, and its label moves.

#include "integration/builder_lab.hpp"

#include "agent/base/text.hpp"
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
  /// A file of the sample pipeline, with what is of this lab in place of what is of the seed system.
  void copy_sample(const std::string& name, const fs::path& to) const {
    const std::vector<std::pair<std::string, std::string>> places{
        {"https://trunk.rdoproject.org/api-centos9-master-uc", lab.url + "/api-centos9"},
        {"https://trunk.rdoproject.org/centos9-master", lab.url + "/centos9"},
        {"registry.rdoproject.example:5000", source.host() + ", secure: false"},
        {"registry.lab.example:5000", target.host() + ", secure: false"},
        {"command: packstack-scenario", "command: ./deploy"},
        {"command: puppet-scenario", "command: ./deploy"},
        {"poll: 5min", "poll: 100ms"},
        {"plugins_path: [plugins]", "plugins_path: [../plugins]\nstate_directory: state\nruntime_directory: run"}};
    std::string text = read_file(fs::path{OUTPOST_PIPELINES} / name);
    for (const auto& [there, here] : places) text = replace_all(std::move(text), there, here);
    write_file(to, text);
  }
  int promote(const std::string& more = "", const std::string& configuration = "master.yaml") {
    const fs::path log = lab.directory.path / "promote.log";
    const std::string command = "DLRNAPI_USERNAME=ciuser DLRNAPI_PASSWORD=secret " OUTPOST_CLI " promote --config " +
                                (lab.directory.path / configuration).string() + " --state " +
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

TEST_CASE("Phase 1 of the sample pipeline takes a hash from its votes to its next label", "[promotion]") {
  if (!available()) return;
  PromotionLab lab;
  const fs::path here = lab.lab.directory.path;
  lab.copy_sample("rdo.yml", here / "agent/outpost.yml");
  lab.copy_sample("rdo-promote.yml", here / "rdo-promote.yml");
  fs::copy(fs::path{OUTPOST_PIPELINES} / "plugins", here / "plugins", fs::copy_options::recursive);
  write_file(here / "agent/dlrnapi.sh", "DLRNAPI_USERNAME=ciuser\nDLRNAPI_PASSWORD=secret\n");
  fs::permissions(here / "agent/dlrnapi.sh", fs::perms::owner_read | fs::perms::owner_write);
  // What the lab has for a deployment: one of its scenarios fails as long as a file says so.
  const fs::path broken = here / "broken", deploy = here / "bin/deploy";
  write_file(deploy, "#!/bin/sh\ngrep baseurl \"$REPOSITORIES/delorean.repo\" || exit 77\n[ \"$1\" != 002 ] || [ ! -e " +
                         broken.string() + " ]\n");
  fs::permissions(deploy, fs::perms::owner_all);
  const fs::path configuration = here / "agent/outpost.yml";
  write_file(configuration, replace_all(read_file(configuration), "./deploy", deploy.string()));
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
