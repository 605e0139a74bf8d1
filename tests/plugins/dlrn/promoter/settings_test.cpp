#include "plugins/dlrn/promoter/settings_reader.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace outpost;
using namespace outpost::promoter;

namespace {

struct Files {
  test::TemporaryDirectory directory;

  std::filesystem::path write(const std::string& name, std::string_view content) const {
    test::write_file(directory.path / name, content);
    return directory.path / name;
  }
  std::string mistakes(const std::string& name, std::string_view content) const {
    const auto loaded = load_release(write(name, content));
    return loaded ? "" : loaded.error().text();
  }
};

constexpr const char* old_form = R"([main]
distro_name: CentOS
distro_version: 8
release: master
Api_Url: https://trunk.example.org/api-centos8-master-uc
base_url: https://trunk.example.org/centos8-master/
username: ciuser
# the password is in the environment
dry_run: no
log_file: ~/promoter_logs/centos8_master.log
latest_hashes_count: 10
manifest_push: false
implicit_container_images: []

[promote_from]
current-tripleo: tripleo-ci-testing
current-tripleo-rdo = current-tripleo

[current-tripleo]
# to be added
periodic-standalone-master
periodic-Undercloud-master
#periodic-not-yet

[current-tripleo-rdo]
weirdo-packstack-scenario001
)";

constexpr const char* new_form = R"(release: master
api_url: https://trunk.example.org/api-centos9-master-uc
source_namespace: tripleomastercentos9
target_namespace: tripleomastercentos9
distro_version: 9
latest_hashes_count: 100
promotions:
  current-tripleo:
    candidate_label: tripleo-ci-testing
    criteria:
      - job-a
      - job-b
    alternative_criteria:
      job-b:
        - job-b-internal
  current-tripleo-rdo:
    candidate_label: current-tripleo
    criteria: [weirdo]
)";

constexpr const char* environment_defaults = R"(distro_name: centos
distro_version: 8
latest_hashes_count: '10'
target_registries_push: "true"
manifest_push: False
dlrn_api_host: trunk.example.org
dlrn_api_port: ""
repo_url: "https://{{ dlrn_api_host }}/{{ distro }}-{{ release }}"
stage_root: /var/www/html/
overcloud_images:
  qcow_servers:
    promoter: {user: uploader, host: images.example.org, root: images/, client: sftp, keypath: ~/.ssh/id_rsa_uploader}
  qcow_images:
    - overcloud-full.tar
    - overcloud-full.tar.md5
default_qcow_server: promoter
containers:
  containers_list_base_url: https://opendev.example.org/tripleo-common/raw/commit/
  containers_list_path: container-images/tripleo_containers.yaml
  container_preffix: openstack-
)";

constexpr const char* global_defaults = R"(log_level: INFO
allowed_clients: registries_client,qcow_client,dlrn_client
distro: "{{ distro_name }}{{ distro_version }}"
dry_run: false
)";

}  // namespace

TEST_CASE("the old ini is read unchanged") {
  const Files files;
  const auto loaded = load_release(files.write("master.ini", old_form));
  INFO((loaded ? std::string{} : loaded.error().text()));
  REQUIRE(loaded.has_value());
  const Release& release = loaded->release;
  CHECK(release.key() == "centos8-master");
  CHECK(release.api_url == "https://trunk.example.org/api-centos8-master-uc");
  CHECK(release.repo_url == "https://trunk.example.org/centos8-master");
  CHECK(release.user == "ciuser");
  CHECK(release.newest == 10);
  CHECK_FALSE(release.dry_run);
  CHECK(release.clients == std::vector{Client::dlrn});
  REQUIRE(release.targets.size() == 2);
  CHECK(release.targets[0].label == "current-tripleo");
  CHECK(release.targets[0].candidate_label == "tripleo-ci-testing");
  CHECK(release.targets[0].criteria ==
        std::vector<std::string>{"periodic-standalone-master", "periodic-Undercloud-master"});
  CHECK(release.targets[1].label == "current-tripleo-rdo");
  CHECK(release.targets[1].where.line == 17);
}

TEST_CASE("the new yaml is read with the defaults of its environment and of all") {
  const Files files;
  files.write("config_environments/global_defaults.yaml", global_defaults);
  files.write("config_environments/rdo/defaults.yaml", environment_defaults);
  const auto loaded = load_release(files.write("config_environments/rdo/CentOS-9/master.yaml", new_form));
  INFO((loaded ? std::string{} : loaded.error().text()));
  REQUIRE(loaded.has_value());
  const Release& release = loaded->release;
  CHECK(release.key() == "centos9-master");
  CHECK(release.newest == 100);
  CHECK(release.repo_url == "https://trunk.example.org/centos9-master");
  CHECK(release.clients == std::vector{Client::registries, Client::qcow, Client::dlrn});
  REQUIRE(release.containers);
  CHECK(release.containers->source.host == "quay.rdoproject.org");
  CHECK(release.containers->source.name_space == "tripleomastercentos9");
  REQUIRE(release.containers->targets.size() == 1);
  CHECK(release.containers->targets[0].host == "quay.io");
  REQUIRE(release.images);
  CHECK(release.images->sftp);
  CHECK(release.images->directory == "/var/www/html/images/centos9/master/rdo_trunk");
  CHECK(release.images->files == std::vector<std::string>{"overcloud-full.tar", "overcloud-full.tar.md5"});
  REQUIRE(release.targets.size() == 2);
  CHECK(release.targets[0].alternatives.at("job-b") == std::vector<std::string>{"job-b-internal"});
}

TEST_CASE("where images are that are not on their server yet is the name of a server, or one of its own") {
  const Files files;
  const auto loaded = load_release(files.write("a.yaml", std::string{new_form} + R"(distro_name: centos
overcloud_images:
  source: builder
  qcow_servers:
    promoter: {user: uploader, host: images.example.org, root: images/, client: sftp}
    builder: {user: zuul, host: build.example.org, port: 2222, directory: /srv/images, client: sftp}
dockerfiles: {client: local, directory: /srv/dockerfiles, source: {client: local, directory: /srv/built}}
)"));
  INFO((loaded ? std::string{} : loaded.error().text()));
  REQUIRE(loaded.has_value());
  const Release& release = loaded->release;
  CHECK(release.images->host == "images.example.org");
  REQUIRE(release.image_source);
  CHECK(release.image_source->host == "build.example.org");
  CHECK(release.image_source->port == 2222);
  REQUIRE(release.dockerfile_source);
  CHECK(release.dockerfile_source->directory == "/srv/built");

  const auto wrong = load_release(files.write("b.yaml", std::string{new_form} + R"(overcloud_images:
  source: bilder
  qcow_servers: {builder: {directory: /srv/images}}
dockerfiles: {directory: /srv/dockerfiles, source: {directory: /srv/dockerfiles}}
)"));
  REQUIRE(wrong.has_error());
  INFO(wrong.error().text());
  CHECK(wrong.error().text().find("\"bilder\" is none of overcloud_images.qcow_servers") != std::string::npos);
  CHECK(wrong.error().text().find("source is the directory itself") != std::string::npos);
}

TEST_CASE("the file of a component line is read unchanged: of each component its jobs") {
  const Files files;
  const std::string line = R"(---
distro_name: centos
distro_version: 9
release: master
api_url: https://trunk.example.org/api-centos9-master-uc
base_url: https://trunk.example.org/centos9-master/
username: ciuser
dry_run: no

promote_from:
  promoted-components: component-ci-testing

promoted-components:
  baremetal:
    - periodic-standalone-baremetal-master
    - periodic-scenario012-standalone-baremetal-master
  cinder:
)";
  const auto loaded = load_release(files.write("component/master.yaml", line));
  INFO((loaded ? std::string{} : loaded.error().text()));
  REQUIRE(loaded.has_value());
  REQUIRE(loaded->release.targets.size() == 1);
  const Target& target = loaded->release.targets[0];
  CHECK(target.to().text() == "component/baremetal/promoted-components");
  CHECK(target.from().text() == "component/baremetal/component-ci-testing");
  CHECK(target.criteria.size() == 2);
  CHECK(loaded->release.clients == std::vector{Client::dlrn});
  REQUIRE(loaded->warnings.size() == 1);
  CHECK(loaded->warnings[0].find("master.yaml:17:3: cinder has no jobs, so nothing of it is promoted") != std::string::npos);

  const auto more = load_release(files.write("component/more.yaml", line + R"(    criteria: [a, b]
    alternative_criteria: {b: [c]}
    vote_rule: any
)"));
  INFO((more ? std::string{} : more.error().text()));
  REQUIRE(more.has_value());
  REQUIRE(more->release.targets.size() == 2);
  CHECK(more->release.targets[1].component == "cinder");
  CHECK(more->release.targets[1].alternatives.at("b") == std::vector<std::string>{"c"});
  CHECK(more->release.targets[1].any_success);
  CHECK_FALSE(more->release.targets[0].any_success);
}

TEST_CASE("what is wrong in a component line has its place") {
  const Files files;
  const std::string base = "release: master\napi_url: https://trunk.example.org/api\npromote_from: {promoted-components: component-ci-testing}\n";
  const auto wrong = [&](const std::string& rest) {
    const auto loaded = load_release(files.write("wrong.yaml", base + rest));
    return loaded ? std::string{} : loaded.error().text();
  };
  CHECK(wrong("promoted-components: {compute: , network: []}").find("no component has a job") != std::string::npos);
  CHECK(wrong("").find("no component has a job") != std::string::npos);
  CHECK(wrong("promoted-components: {../../x: [job]}").find("promoted-components") != std::string::npos);
  CHECK(wrong("promoted-components: {compute: [job, job]}").find("\"job\" is named twice") != std::string::npos);
  CHECK(wrong("promoted-components: {compute: {kriteria: [job]}}").find("criteria") != std::string::npos);
  CHECK(wrong("promoted-components: {compute: [job]}\npromotions: {a: {candidate_label: b, criteria: [c]}}").find("have a file of their own") != std::string::npos);
}

TEST_CASE("registries are named, and without a push to targets there are none") {
  const Files files;
  const std::string base =
      "containers_list_base_url: http://lists.example.org\ncontainers_list_path: list.yaml\ndistro_name: "
      "centos\nrepo_url: http://trunk.example.org/tree\n";
  const auto loaded = load_release(files.write("a.yaml", std::string{new_form} + base + R"(registries:
  - {type: source, name: source, port: 6000, secure: False, schema: v2_s2}
  - {type: target, name: one, port: 6500, secure: false, schema: v2_s2, namespace: elsewhere, user: bot, password_variable: BOT_PASSWORD}
)"));
  INFO((loaded ? std::string{} : loaded.error().text()));
  REQUIRE(loaded.has_value());
  const auto& containers = *loaded->release.containers;
  CHECK(containers.source.reference("nova-api", "x") == "localhost:6000/tripleomastercentos9/nova-api:x");
  CHECK_FALSE(containers.source.secure);
  REQUIRE(containers.targets.size() == 1);
  CHECK(containers.targets[0].reference("nova-api", "x") == "localhost:6500/elsewhere/nova-api:x");
  CHECK(containers.targets[0].password_variable == "BOT_PASSWORD");
  const auto quiet = load_release(files.write("b.yaml", std::string{new_form} + base + "target_registries_push: no\n"));
  REQUIRE(quiet.has_value());
  CHECK(quiet->release.containers->targets.empty());
}

TEST_CASE("lists of images are made when they are wanted, of POWER too unless it is not") {
  const Files files;
  const std::string base = std::string{new_form} +
                           "containers_list_base_url: http://lists.example.org\ncontainers_list_path: list.yaml\n"
                           "repo_url: http://trunk.example.org/tree\n";
  const auto platforms = [&](const std::string& more) {
    const auto loaded = load_release(files.write("a.yaml", base + more));
    INFO((loaded ? std::string{} : loaded.error().text()));
    REQUIRE(loaded.has_value());
    return loaded->release.containers->platforms;
  };
  CHECK(platforms("").empty());
  CHECK(platforms("manifest_push: 'false'\n").empty());
  CHECK(platforms("manifest_push: true\n") == std::vector<std::string>{"x86_64", "ppc64le"});
  CHECK(platforms("manifest_push: True\nppc_manifests: no\n") == std::vector<std::string>{"x86_64"});
}

TEST_CASE("which votes count is said for all targets, or for one") {
  const Files files;
  const auto loaded = load_release(files.write(
      "a.yaml", "release: master\napi_url: https://trunk.example.org/api\nvote_rule: any\nmax_vote_age: 7d\npromotions:\n"
                "  one: {candidate_label: c, criteria: [x]}\n"
                "  two: {candidate_label: c, criteria: [x], vote_rule: newest, max_vote_age: 1d}\n"));
  INFO((loaded ? std::string{} : loaded.error().text()));
  REQUIRE(loaded.has_value());
  const auto& targets = loaded->release.targets;
  CHECK(targets[0].any_success);
  CHECK(targets[0].max_vote_age == std::chrono::hours{7 * 24});
  CHECK_FALSE(targets[1].any_success);
  CHECK(targets[1].max_vote_age == std::chrono::hours{24});
  std::string old{old_form};
  const auto ini = load_release(files.write("a.ini", old.insert(old.find("manifest_push"), "vote_rule: any\n")));
  REQUIRE(ini.has_value());
  CHECK(ini->release.targets[1].any_success);
  CHECK(files.mistakes("b.yaml", "release: x\napi_url: https://a.example.org\nvote_rule: best\npromotions: {t: {candidate_label: c, criteria: [x]}}\n")
            .find("b.yaml:3:1: vote_rule: \"best\" is neither newest nor any") != std::string::npos);
}

TEST_CASE("every mistake has its place and a cure") {
  const Files files;
  const auto has = [](const std::string& text, const std::string& part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  };
  const std::string head = "release: master\napi_url: https://trunk.example.org/api\n";
  has(files.mistakes("a.yaml", head + "promotions:\n  t:\n    candidate_label: c\n    criterai: [x]\n"),
      "a.yaml:6:5: promotions.t: unknown key \"criterai\" (did you mean \"criteria\"?)");
  has(files.mistakes("a.yaml", head + "promotions:\n  t: {candidate_label: c, criteria: []}\n"), "no job is named");
  has(files.mistakes("a.yaml", head + "promotions:\n  t: {criteria: [x]}\n"), "\"candidate_label\" is missing");
  has(files.mistakes("a.yaml", head + "promotions:\n  consistent: {candidate_label: c, criteria: [x]}\n"),
      "a.yaml:4:3: promotions: consistent is the builder's own");
  has(files.mistakes("a.yaml", head + "promotions:\n  t: {candidate_label: t, criteria: [x]}\n"),
      "is the target itself");
  has(files.mistakes("a.yaml",
                     head + "promotions:\n  t: {candidate_label: c, criteria: [x], alternative_criteria: {y: [z]}}\n"),
      "not among the criteria");
  has(files.mistakes("a.yaml", head + "promotions:\n  ../t: {candidate_label: c, criteria: [x]}\n"), "is not a name");
  has(files.mistakes("a.yaml", head), "\"promotions\" is missing");
  has(files.mistakes("a.yaml",
                     head + "repo_url: '{{ nowhere }}'\npromotions: {t: {candidate_label: c, criteria: [x]}}\n"),
      "a.yaml:3:1: \"repo_url\": {{ nowhere }} names no key");
  has(files.mistakes("a.yaml",
                     head + "a: '{{ b }}'\nb: '{{ a }}'\npromotions: {t: {candidate_label: c, criteria: [x]}}\n"),
      "leads back to itself");
  has(files.mistakes(
          "a.yaml",
          head + "allowed_clients: registries_client\npromotions: {t: {candidate_label: c, criteria: [x]}}\n"),
      "a.yaml:3:1: allowed_clients: registries_client is named, but");
  has(files.mistakes("a.yaml",
                     head + "latest_hashes_count: many\npromotions: {t: {candidate_label: c, criteria: [x]}}\n"),
      "a.yaml:3:1: latest_hashes_count");
  has(files.mistakes("a.yaml", "[1, 2]\n"), "is not a configuration");
  has(files.mistakes("a.ini", "[main]\nrelease: x\napi_url: https://a.example.org\n"), "no section [promote_from]");
  has(files.mistakes("a.ini", "[main]\nrelease: x\napi_url: https://a.example.org\n[promote_from]\nt: c\n"),
      "a.ini:5:1: there is no section [t]");
  has(files.mistakes("a.ini", "key: value\n"), "a.ini:1:1: a key before the first section");
  has(files.mistakes("a.ini", "[main]\nrelease: x\nrelease: y\n"),
      "a.ini:3:1: \"release\" is there already, in line 2");
  has(files.mistakes("a.ini", "[main]\nrelease: x\n  more\n"), "a.ini:3:3: an indented line");
  has(load_release(files.directory.path / "absent.yaml").error().text(), "absent.yaml");
}

TEST_CASE("a layer below that is wrong is an error, not passed over") {
  const Files files;
  files.write("env/defaults.yaml", "distro_name: [\n");
  CHECK(load_release(files.write("env/CentOS-9/master.yaml", new_form)).has_error());
}

TEST_CASE("a key that is nearly one that counts is named") {
  const Files files;
  const auto loaded =
      load_release(files.write("a.yaml", std::string{new_form} + "latest_hash_count: 5\nscenes: [dlrn]\n"));
  REQUIRE(loaded.has_value());
  REQUIRE(loaded->warnings.size() == 1);
  CHECK(loaded->warnings[0].find("did you mean \"latest_hashes_count\"?") != std::string::npos);
}
