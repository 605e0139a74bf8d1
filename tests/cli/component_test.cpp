// outpost component: what the maker of a product does.
#include "cli/command_lab.hpp"
#include "support/catch.hpp"

#include "agent/job/event.hpp"

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace outpost;
using namespace outpost::test;
using job::text_at;

/// A lab that shares its server with a feeder.
struct FeederLab : CommandLab {
  FeederLab() {
    const auto made = admin("POST", "/feeders", {{"name", "maker"}, {"team_id", team}});
    feeder = made.at("feeder").at("id").as_string();
    write_file(credentials, "export DCI_CLIENT_ID='feeder/" + feeder + "'\nexport DCI_API_SECRET='" +
                                std::string{made.at("feeder").at("api_secret").as_string()} +
                                "'\nexport DCI_CS_URL='" + url + "'\n");
    fs::permissions(credentials, fs::perms::owner_read | fs::perms::owner_write);
    write_file(build / "acme.conf", "answer = 42\n");
    write_file(build / "docs/README", "read me\n");
  }
  /// `outpost component ARGUMENTS...` as the feeder, who has no configuration.
  int component(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {OUTPOST_COMMAND, "component"});
    arguments.insert(arguments.end(),
                     {"--credentials", credentials.string(), "--config", (directory.path / "none.yml").string()});
    return run(std::move(arguments));
  }
  int create(const std::string& name, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"create", "--topic", "ACME-1", "--type", "acme", "--version", "1.0", name});
    return component(std::move(more));
  }
  json::array there() { return admin("GET", "/topics/" + topic + "/components").at("components").as_array(); }
  json::array files_of(const std::string& id) {
    return admin("GET", "/components/" + id + "/files").at("component_files").as_array();
  }

  fs::path credentials = directory.path / "feeder.sh", build = directory.path / "build";
  std::string feeder;
};

}  // namespace

TEST_CASE("a component is made with its files once, however often that is asked for, and a job gets them by their names",
          "[cli]") {
  FeederLab lab;
  REQUIRE(lab.create("ACME 1.0", {lab.build.string(), "--tag", "build:nightly", "--json"}) == 0);
  CHECK(lab.json().at("schema") == "outpost-component-create");
  CHECK_FALSE(lab.json().at("found").as_bool());
  CHECK(lab.json().at("files").as_array().size() == 2);
  const std::string id = text_at(lab.json().at("component").as_object(), "id");
  REQUIRE(lab.there().size() == 1);
  const auto row = lab.there().at(0).as_object();
  CHECK(text_at(row, "state") == "active");
  CHECK(text_at(row, "version") == "1.0");
  CHECK(row.at("tags") == json::array{"build:nightly"});

  REQUIRE(lab.create("ACME 1.0", {lab.build.string()}) == 0);
  CHECK_THAT(lab.said, holds("acme.conf  12 bytes, there already") && holds("docs/README  8 bytes, there already") &&
                           holds(id + "  ACME 1.0, there already"));
  write_file(lab.build / "more", "more\n");
  REQUIRE(lab.component({"upload", id, (lab.build / "more").string(), (lab.build / "acme.conf").string()}) == 0);
  CHECK_THAT(lab.said, holds("more  5 bytes, uploaded") && holds("acme.conf  12 bytes, there already"));
  CHECK(lab.there().size() == 1);
  CHECK(lab.files_of(id).size() == 3);

  const fs::path seen = lab.directory.path / "seen";
  lab.hook("test", "#!/bin/sh\ncd $OUTPOST_COMPONENTS/acme && find . -type f | sort >" + seen.string() +
                       " && cat acme.conf >>" + seen.string() + "\n");
  lab.start_agent();
  CHECK(text_at(lab.finished_job(), "status") == "success");
  CHECK(read_file(seen) == "./acme.conf\n./docs/README\n./more\nanswer = 42\n");
}

TEST_CASE("what an interrupted command has left is found, and agents see the component only when all is there", "[cli]") {
  FeederLab lab;
  SECTION("the answer to its creation was lost") {
    lab.set_faults(R"([{"method": "POST", "path": "/api/v1/components", "times": 1, "execute": true, "drop": true}])");
    REQUIRE(lab.create("ACME 1.0", {lab.build.string()}) == 0);
    CHECK(lab.there().size() == 1);
  }
  SECTION("the answer to a file was lost") {
    lab.set_faults(
        R"([{"method": "POST", "path": "/api/v1/components/*/files", "times": 1, "execute": true, "drop": true}])");
    REQUIRE(lab.create("ACME 1.0", {lab.build.string()}) == 0);
    CHECK(lab.files_of(text_at(lab.there().at(0).as_object(), "id")).size() == 2);
  }
  SECTION("a file is too large") {
    lab.set_faults(R"([{"method": "POST", "path": "/api/v1/components/*/files", "status": 413}])");
    CHECK(lab.create("ACME 1.0", {lab.build.string()}) == 1);
    CHECK_THAT(lab.said, holds("acme.conf") && holds("MAX_CONTENT_LENGTH_MB"));
    REQUIRE(lab.there().size() == 1);
    CHECK(text_at(lab.there().at(0).as_object(), "state") == "inactive");
    lab.set_faults("[]");
    REQUIRE(lab.create("ACME 1.0", {lab.build.string()}) == 0);
    REQUIRE(lab.there().size() == 1);
    CHECK(text_at(lab.there().at(0).as_object(), "state") == "active");
  }
}

TEST_CASE("who may not publish, and what cannot be published, is told why", "[cli]") {
  FeederLab lab;
  CHECK(lab.component({"create", "--topic", "ACME-2", "--type", "acme", "x"}) == 1);
  CHECK_THAT(lab.said, holds("did you mean \"ACME-1\"?"));
  CHECK(lab.create("ACME 1.0", {(lab.directory.path / "absent").string()}) == 2);
  CHECK_THAT(lab.said, holds("absent"));
  write_file(lab.directory.path / "other/acme.conf", "");
  CHECK(lab.create("ACME 1.0", {lab.build.string(), (lab.directory.path / "other").string()}) == 2);
  CHECK_THAT(lab.said, holds("two files would be called acme.conf there"));
  CHECK(lab.component({"upload", "nonsense", lab.build.string()}) == 2);
  CHECK_THAT(lab.said, holds("\"nonsense\" is not the id of a component"));
  CHECK(lab.component({"upload", "00000000-0000-4000-8000-000000000000", lab.build.string()}) == 1);
  CHECK(lab.there().empty());
  CHECK(lab.run({OUTPOST_COMMAND, "component", "upload", "x", lab.build.string(), "--config", "/nonexistent"}) == 5);
  CHECK_THAT(lab.said, holds("give --credentials FILE"));
}

TEST_CASE("a remoteci publishes for its own team, with the credentials of the configuration or of the environment",
          "[cli]") {
  FeederLab lab;
  REQUIRE(lab.outpost({"component", "create", "--topic", "ACME-1", "--type", "acme", "--inactive", "Ours 1"}) == 0);
  CHECK_THAT(lab.said, holds("Ours 1, created, inactive: agents do not see it yet"));
  REQUIRE(lab.there().size() == 1);
  CHECK(text_at(lab.there().at(0).as_object(), "team_id") == lab.team);
  Process by_environment{{"/bin/sh", "-c",
                          ". " + lab.credentials.string() + " && exec " OUTPOST_COMMAND
                              " component create --topic ACME-1 --type acme 'Everybodys 1' --config /nonexistent"},
                         lab.directory.path / "by-environment"};
  CHECK(by_environment.wait() == 0);
  CHECK_THAT(read_file(lab.directory.path / "by-environment"), holds("Everybodys 1, created"));
  CHECK(lab.there().size() == 2);
}
