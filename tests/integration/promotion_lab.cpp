#include "integration/promotion_lab.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "support/catch.hpp"

#include <boost/json/array.hpp>

#include <cstdlib>

namespace outpost::test {

namespace fs = std::filesystem;
namespace json = boost::json;
using job::text_at;

namespace {

json::object build(const std::string& project, const std::string& component, char digit) {
  return {{"project", project},
          {"component", component},
          {"commit", std::string(40, digit)},
          {"distro", std::string(40, 'd')},
          {"consistent", true}};
}

void skopeo(const std::string& arguments) {
  INFO(arguments);
  REQUIRE(std::system(("skopeo --insecure-policy " + arguments).c_str()) == 0);
}

}  // namespace

bool promotion_is_possible() {
  const bool there = std::system("command -v skopeo docker-registry >/dev/null 2>&1") == 0;
  if (!there) WARN("SKIPPED: promotion with containers: skopeo or docker-registry is not installed");
  return there;
}

void PromotionLab::publish(char nova, char common) {
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

void PromotionLab::vote(const std::string& job, bool success) {
  lab.api("POST", "/report_result",
          json::object{{"job_id", job},
                       {"aggregate_hash", aggregate},
                       {"url", "https://logs.example.org"},
                       {"timestamp", 1795213159},
                       {"success", success}});
}

std::string PromotionLab::image(const RegistryServer& server, const std::string& tag) {
  return server.host() + "/tripleomaster/openstack-nova-api:" + tag;
}

std::string PromotionLab::manifest(const RegistryServer& server, const std::string& tag) {
  const fs::path file = lab.directory.path / "manifest";
  const std::string command = "skopeo inspect --raw --tls-verify=false docker://" + image(server, tag) + " >" +
                              file.string() + " 2>/dev/null";
  return std::system(command.c_str()) == 0 ? read_file(file) : "";
}

void PromotionLab::copy_sample(const std::string& name, const fs::path& to) const {
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

void PromotionLab::copy_samples(const std::string& deploys) {
  const fs::path here = lab.directory.path;
  copy_sample("rdo.yml", here / "agent/outpost.yml");
  copy_sample("rdo-promote.yml", here / "rdo-promote.yml");
  fs::copy(fs::path{OUTPOST_PIPELINES} / "plugins", here / "plugins", fs::copy_options::recursive);
  write_file(here / "agent/dlrnapi.sh", "DLRNAPI_USERNAME=ciuser\nDLRNAPI_PASSWORD=secret\n");
  fs::permissions(here / "agent/dlrnapi.sh", fs::perms::owner_read | fs::perms::owner_write);
  const fs::path deploy = here / "bin/deploy", configuration = here / "agent/outpost.yml";
  write_file(deploy, "#!/bin/sh\ngrep baseurl \"$REPOSITORIES/delorean.repo\" || exit 77\n" + deploys + "\n");
  fs::permissions(deploy, fs::perms::owner_all);
  write_file(configuration, replace_all(read_file(configuration), "./deploy", deploy.string()));
}

int PromotionLab::run(const std::string& command) {
  const fs::path log = lab.directory.path / "promote.log";
  const int status = std::system(("DLRNAPI_USERNAME=ciuser DLRNAPI_PASSWORD=secret " + command + " >" + log.string() + " 2>&1").c_str());
  output = read_file(log);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int PromotionLab::promote(const std::string& more, const std::string& configuration) {
  return run(OUTPOST_CLI " promote --config " + (lab.directory.path / configuration).string() + " --state " +
             (lab.directory.path / "promoter").string() + " " + more);
}

std::string PromotionLab::label(const std::string& name) {
  const auto rows = lab.api("GET", "/promotions?limit=1&promote_name=" + name).as_array();
  return rows.empty() ? "" : text_at(rows[0].as_object(), "aggregate_hash");
}

}  // namespace outpost::test
