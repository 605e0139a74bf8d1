// What hooks are told of their job and its components.
#include "pipeline/runner_world.hpp"

#include "agent/pipeline/job_directory.hpp"

#include <boost/json/parse.hpp>

#include <fstream>
#include <iterator>

using namespace outpost;
using namespace outpost::test;
namespace json = boost::json;

namespace {

json::object read_json(const std::filesystem::path& path) {
  std::ifstream file{path};
  REQUIRE(file);
  return json::parse(std::string{std::istreambuf_iterator<char>{file}, {}}).as_object();
}

struct Documents {
  json::object job, component;
};

/// Of a job of topic ACME-1, of which the server says this, with a component "c" of type "ocp".
Documents documents_of(json::object said) {
  RunnerWorld world{{.name = "nightly", .source = "fake", .topic = "ACME-1"}};
  world.source.document = std::move(said);
  const pipeline::JobDirectory directory{world.directory.path / "job-1"};
  Documents seen;
  world.steps.on_run = [&](const std::string& step) {
    if (step == "install.acme") seen = {read_json(directory.job_document()), read_json(directory.components() / "ocp.json")};
  };
  REQUIRE(world.run().describe() == "success");
  return seen;
}

}  // namespace

TEST_CASE("the topic in a job's document has a name whatever the server says") {
  const auto topic = [](json::object said) { return documents_of(std::move(said)).job.at("topic"); };
  const json::value ours = json::object{{"name", "ACME-1"}};
  CHECK(bool(topic({}) == ours));
  for (const json::value& said : {json::value{}, json::value("ACME"), json::value(json::array{}), json::value(json::object{})}) CHECK(bool(topic({{"topic", said}}) == ours));
  for (const json::value& name : {json::value{}, json::value(""), json::value(7)})
    CHECK(bool(topic({{"topic", json::object{{"id", "t"}, {"name", name}}}}) == json::object{{"id", "t"}, {"name", "ACME-1"}}));
  CHECK(bool(topic({{"topic", json::object{{"id", "t"}, {"name", "ACME-2"}}}}) == json::object{{"id", "t"}, {"name", "ACME-2"}}));
}

TEST_CASE("what the server leaves empty of a component does not hide what the job knows") {
  const json::object said{{"id", "c"}, {"type", ""}, {"name", "OpenShift"}, {"version", nullptr}, {"team_id", nullptr}, {"title", ""}};
  const auto documents = documents_of({{"components", json::array{json::object{{"id", "other"}, {"name", "no"}}, said}}});
  const auto& component = documents.component;
  CHECK(component.at("type") == "ocp");
  CHECK(component.at("version").is_string());
  CHECK(component.at("name") == "OpenShift");
  CHECK(component.at("team_id").is_null());
  CHECK(component.at("title") == "");
  CHECK(bool(documents.job.at("components") == json::array{component}));
}
