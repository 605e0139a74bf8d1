// The integration over TCP against the sample control server, which was written from the server's side of the protocol
// and is itself checked against recorded exchanges.
#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/http/beast/beast_client.hpp"
#include "agent/http/beast/beast_server.hpp"
#include "agent/job/event_types.hpp"
#include "plugins/dci/dci.hpp"
#include "plugins/dci/story_builder.hpp"
#include "samples/control-server/control_server.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace outpost::dci {
namespace {

namespace event = job::event;
namespace json = boost::json;
using outpost::test::read_file;
using outpost::test::write_file;

/// A control server with a topic, two components, one of them with files, and a remoteci that may see them.
class Lab {
 public:
  explicit Lab(std::chrono::seconds clock_offset = {}) {
    sample::ServerOptions options;
    options.data = directory.path / "server";
    options.in_memory = true;
    options.max_content_length = 64 * 1024;
    options.clock_offset = clock_offset;
    control = std::make_unique<sample::ControlServer>(options);
    const auto port = server->listen({}, control->handler());
    REQUIRE(port);
    url = "http://127.0.0.1:" + std::to_string(*port);
    client = *http::make_beast_client({});
    const auto team = text(admin("POST", "/api/v1/teams", {{"name", "lab"}}, "team"), "id");
    const auto product = text(
        admin("POST", "/api/v1/products", {{"name", "OpenShift"}, {"label", "OCP"}, {"description", ""}}, "product"),
        "id");
    admin("POST", "/api/v1/products/" + product + "/teams", {{"team_id", team}}, "");
    topic = text(admin("POST", "/api/v1/topics",
                       {{"name", "OCP-4.16"},
                        {"component_types", {"ocp", "rhcos"}},
                        {"product_id", product},
                        {"export_control", true},
                        {"data", {{"registry", {{"password", "hunter2"}}}}}},
                       "topic"),
                 "id");
    const auto remoteci = admin("POST", "/api/v1/remotecis", {{"name", "lab"}, {"team_id", team}}, "remoteci");
    who.url = url;
    who.credentials = *make_credentials("remoteci/" + text(remoteci, "id"), text(remoteci, "api_secret"));
    older = component("ocp", "4.16.2", "2026-01-01T00:00:00.000000", {"build:ga"});
    newer = component("ocp", "4.16.3", "2026-02-01T00:00:00.000000", {"build:nightly"});
    rhcos = component("rhcos", "9.4", "2026-01-01T00:00:00.000000", {});
    SourceSettings settings;
    settings.name = "lab";
    source = *make_source(who, settings, *client, workers, clock, nullptr);
    ReporterSettings reporting;
    reporting.source = "lab";
    reporting.job_directory = [this](const std::string&) { return directory.path / "job"; };
    reporter = *make_reporter(who, reporting, *client, workers, clock);
    definition.name = "nightly";
    definition.topic = "OCP-4.16";
    definition.selections = {"ocp", "rhcos"};
  }
  ~Lab() {
    client.reset();
    server->stop();
    loop.restart();
    loop.poll();
  }

  template <class T>
  T await(boost::asio::awaitable<T> work) {
    return outpost::test::await(loop, std::move(work));
  }

  static std::string text(const json::object& object, std::string_view key) { return job::text_at(object, key); }

  /// A request of the administrator. Which member of the answer is wanted: ""; none.
  json::object admin(const std::string& method, const std::string& path, json::value body, const std::string& key,
                     const std::string& raw = "") {
    http::Request request;
    request.method = method;
    request.url = url + path;
    request.headers = {{"Authorization", "Basic " + to_base64("admin:admin")}};
    if (method != "GET") {
      request.body = body.is_null() ? raw : json::serialize(body);
      request.headers.set("Content-Type", body.is_null() ? "application/octet-stream" : "application/json");
    }
    auto response = await(client->send(std::move(request)));
    REQUIRE(response);
    INFO(method + " " + path + ": " + response->body);
    REQUIRE(response->status < 300);
    return key.empty() ? json::object{} : json::parse(response->body).at(key).get_object();
  }
  std::string component(const std::string& type, const std::string& version, const std::string& released,
                        json::array tags) {
    return text(admin("POST", "/api/v1/components",
                      {{"type", type},
                       {"display_name", type + " " + version},
                       {"version", version},
                       {"topic_id", topic},
                       {"released_at", released},
                       {"tags", tags}},
                      "component"),
                "id");
  }
  void object(const std::string& path, const std::string& content) {
    admin("PUT", "/object-store/dci-components/" + percent_encode(path, true), nullptr, "", content);
  }
  json::object job(const std::string& id) { return admin("GET", "/api/v1/jobs/" + id, nullptr, "job"); }
  json::array list(const std::string& path, const std::string& key) {
    http::Request request;
    request.url = url + path;
    request.headers = {{"Authorization", "Basic " + to_base64("admin:admin")}};
    auto response = await(client->send(std::move(request)));
    REQUIRE(response);
    return json::parse(response->body).at(key).get_array();
  }

  pipeline::ClaimRequest request() {
    auto found = await(source->poll(definition, 1));
    REQUIRE(found);
    pipeline::ClaimRequest made;
    made.claim_id = "0197f2aa-0000-7000-8000-00000000000" + std::to_string(++claims);
    made.job.id = "job-1";
    made.job.definition = definition;
    for (const auto& candidates : *found) made.job.components.push_back(candidates.components.at(0));
    return made;
  }

  /// Delivers items as the delivery loop would: in order, with the references of what they need.
  void deliver(const std::vector<journal::Item>& items) {
    for (const auto& item : items) {
      CAPTURE(item.key);
      const auto outcome = await(reporter->send(item, refs));
      const auto* delivered = std::get_if<pipeline::Delivered>(&outcome);
      if (const auto* parked = std::get_if<pipeline::Parked>(&outcome)) FAIL(parked->reason);
      if (const auto* later = std::get_if<pipeline::RetryAfter>(&outcome)) FAIL(later->reason);
      REQUIRE(delivered);
      refs[item.key] = delivered->remote_ref;
      // Whatever arrived is found again by the same item.
      pipeline::Refs needed;
      for (const auto& need : item.needs) needed[need] = refs[need];
      if (item.blob && item.blob->size == 0) continue;
      const auto found = await(reporter->find(item, needed));
      REQUIRE(found);
      CHECK(*found == delivered->remote_ref);
    }
  }

  outpost::test::TemporaryDirectory directory;
  boost::asio::io_context loop{1};
  Workers workers{2};
  SystemClock clock;
  std::unique_ptr<sample::ControlServer> control;
  std::unique_ptr<http::Server> server = http::make_beast_server(loop.get_executor());
  std::unique_ptr<http::Client> client;
  std::string url, topic, older, newer, rhcos;
  Server who;
  std::unique_ptr<pipeline::Source> source;
  std::unique_ptr<pipeline::Reporter> reporter;
  job::Definition definition;
  pipeline::Refs refs;
  int claims = 0;
};

TEST_CASE("a whole job arrives at the sample server") {
  Lab lab;
  lab.definition.configuration = "baremetal";
  lab.definition.tags = {"agent:outpost"};
  const auto request = lab.request();
  CHECK(request.job.components[0].id == lab.newer);
  const auto claimed = lab.await(lab.source->claim(request));
  REQUIRE(claimed);
  CHECK(json::serialize(claimed->document).find("hunter2") == std::string::npos);
  CHECK(json::serialize(claimed->document).find(lab.who.credentials.secret) == std::string::npos);

  test::StoryBuilder story;
  story.remote = claimed->claim.external_ref;
  story.queued({{"key_values", {{"workers", 3}}}});
  story.tell(event::claim_granted);
  story.started("acquire");
  story.started("install");
  story.step("s1", "install", "install");
  const std::string output = "installing naïve.rpm\n" + std::string(150'000, 'x') + "\ndone\n";
  write_file(lab.directory.path / "job/logs/s1.log", output);
  story.cut("s1", "install", 0, 21);
  story.cut("s1", "install", 21, output.size() - 21);  // Above the server's limit: split.
  story.ended("install", "ok", 1500);
  story.started("test");
  const std::string junit =
      R"(<testsuite name="s"><testcase classname="c" name="one"/><testcase classname="c" name="two"><failure/></testcase></testsuite>)";
  write_file(lab.directory.path / "job/steps/s2/results/t.xml", junit);
  const job::Blob result{"steps/s2/results/t.xml", sha256_hex(junit), junit.size(), "", "", {}};
  story.tell(event::result_found,
             {{"name", "test/acme/t"}, {"well_formed", true}, {"total", 2}, {"success", 1}, {"failures", 1}}, "s2",
             {result});
  write_file(lab.directory.path / "job/steps/s2/artifacts/café.json", "{}");
  const job::Blob artifact{"steps/s2/artifacts/café.json", sha256_hex("{}"), 2, "", "", {}};
  story.tell(event::artifact_found, {{"name", "café.json"}}, "s2", {artifact});
  story.tell(event::job_tagged, {{"tag", "cluster:four"}});
  story.verdict("failure", "1 of 2 tests failed");
  story.started("collect");
  story.ended("collect", "empty");
  story.tell(event::job_warning, {{"stage", "release"}, {"message", "power is still on"}});
  story.tell(event::job_ended, {{"verdict", "failure"}, {"duration_ms", 4000}});
  std::map<std::string, journal::Item> unique;
  std::vector<journal::Item> items;
  for (const auto& item : story.items)
    if (unique.emplace(item.key, item).second) items.push_back(item);
  lab.deliver(items);

  const auto job = lab.job(story.remote);
  CHECK(lab.text(job, "status") == "failure");
  CHECK(lab.text(job, "name") == "nightly");
  CHECK(lab.text(job, "configuration") == "baremetal");
  CHECK(json::serialize(job.at("tags")) ==
        R"(["agent:outpost",")" + claim_tag(request.claim_id) + R"(","cluster:four"])");
  CHECK(job.at("components").get_array().size() == 2);
  CHECK(job.at("keys_values").get_array().size() == 4);
  const auto& results = job.at("results").get_array();
  REQUIRE(results.size() == 1);
  CHECK(results[0].at("name") == "test/acme/t");
  CHECK(results[0].at("total") == 2);
  CHECK(results[0].at("failures") == 1);

  const auto states = lab.list("/api/v1/jobs/" + story.remote + "/jobstates?sort=created_at", "jobstates");
  std::vector<std::string> statuses;
  for (const auto& state : states) statuses.push_back(lab.text(state.get_object(), "status"));
  CHECK(statuses == std::vector<std::string>{"new", "pre-run", "running", "post-run", "failure"});
  std::map<std::string, std::string> pieces;
  for (const auto& file : states.at(2).at("files").get_array())
    pieces[lab.text(file.get_object(), "name")] = lab.text(file.get_object(), "id");
  std::string whole;
  for (const auto& [name, id] : pieces) {
    http::Request get;
    get.url = lab.url + "/api/v1/files/" + id + "/content";
    get.headers = {{"Authorization", "Basic " + to_base64("admin:admin")}};
    whole += lab.await(lab.client->send(std::move(get)))->body;
  }
  CHECK(pieces.size() >= 4);
  CHECK(whole == output);
  std::vector<std::string> names;
  for (const auto& file : job.at("files").get_array()) names.push_back(lab.text(file.get_object(), "name"));
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"café.json", "outpost/warning-1.txt", "test/acme/t"});
}

TEST_CASE("the second job of a definition points to the first") {
  Lab lab;
  const auto first = lab.await(lab.source->claim(lab.request()));
  REQUIRE(first);
  const auto second = lab.await(lab.source->claim(lab.request()));
  REQUIRE(second);
  CHECK(lab.text(lab.job(second->claim.external_ref), "previous_job_id") == first->claim.external_ref);
}

TEST_CASE("selections mean the same to the server's query language") {
  Lab lab;
  const auto version = [&](const std::string& selection) -> std::string {
    lab.definition.selections = {selection};
    const auto found = lab.await(lab.source->poll(lab.definition, 1));
    INFO(selection);
    if (!found) FAIL(found.error().message);
    return found->at(0).components.empty() ? "" : found->at(0).components[0].version;
  };
  CHECK(version("ocp") == "4.16.3");
  CHECK(version("OCP") == "4.16.3");
  CHECK(version("ocp=4.16.2") == "4.16.2");
  CHECK(version("ocp=4.16*") == "4.16.3");
  CHECK(version("ocp?tags:build:ga") == "4.16.2");
  CHECK(version("ocp?tags:build:nightly&version:4.16.2") == "4.16.2");
  CHECK(version("ocp?name:ocp 4.16.3") == "4.16.3");
  CHECK(version("ocp?name:OCP 4.16*") == "4.16.3");
  CHECK(version("ocp?name:ocp 4.17*").empty());
  CHECK(version("ocp?name:a+b, c").empty());
  CHECK(version("ocp?tags:a+b").empty());
  CHECK(version(R"({"type": "ocp", "priority_tags": ["build:candidate", "build:ga"]})") == "4.16.2");
  CHECK(version(R"({"type": "ocp", "max_age": 1})") == "4.16.3");
}

TEST_CASE("a claim whose answer was lost is found at the sample server") {
  Lab lab;
  const auto request = lab.request();
  lab.control->set_faults(*sample::Faults::parse("POST /api/v1/jobs nth=1 drop=true execute=true"));
  const auto lost = lab.await(lab.source->claim(request));
  REQUIRE_FALSE(lost);
  CHECK(lost.error().fault == Fault::retry_later);
  const auto found = lab.await(lab.source->find(request));
  REQUIRE(found);
  REQUIRE(*found);
  CHECK(lab.list("/api/v1/jobs", "jobs").size() == 1);
}

TEST_CASE("a job that is set to killed at the sample server is cancelled") {
  Lab lab;
  const auto claimed = lab.await(lab.source->claim(lab.request()));
  REQUIRE(claimed);
  CHECK_FALSE(lab.await(lab.source->watch(claimed->claim))->cancelled);
  lab.admin("POST", "/api/v1/jobstates",
            {{"job_id", claimed->claim.external_ref}, {"status", "killed"}, {"comment", "stop"}}, "");
  CHECK(lab.await(lab.source->watch(claimed->claim))->cancelled);
}

TEST_CASE("the files of a component come by way of the object store of the sample server") {
  Lab lab;
  const std::string content = "an rpm";
  lab.object(lab.newer + "/BaseOS/a+b c.rpm", content);
  lab.object(
      lab.newer + "/dci_files_list.json",
      json::serialize(json::object{
          {"directories", json::array{}},
          {"files",
           {{{"name", "a+b c.rpm"}, {"path", "BaseOS"}, {"size", content.size()}, {"sha256", sha256_hex(content)}}}},
          {"symlinks", {{{"name", "latest"}, {"path", ""}, {"destination", "BaseOS"}}}}}));
  const auto request = lab.request();
  pipeline::FetchRequest fetch;
  fetch.job = request.job;
  for (const auto& component : request.job.components)
    fetch.directories[component.id] = lab.directory.path / "components" / component.type;
  std::vector<std::string> lines;
  const auto fetched = lab.await(lab.source->fetch(fetch, [&](std::string_view line) { lines.emplace_back(line); }));
  if (!fetched) FAIL(fetched.error().message);
  CHECK(read_file(lab.directory.path / "components/ocp/BaseOS/a+b c.rpm") == content);
  CHECK(read_file(lab.directory.path / "components/ocp/latest/a+b c.rpm") == content);
  CHECK(lines.at(0) == "ocp ocp 4.16.3: 1 file, 6 bytes");
  CHECK(lines.back() == "rhcos rhcos 9.4: no files to download");
}

TEST_CASE("a clock that is off by more than 15 minutes is told with both times") {
  Lab lab{std::chrono::minutes{40}};
  const auto polled = lab.await(lab.source->poll(lab.definition, 1));
  REQUIRE_FALSE(polled);
  CHECK(polled.error().fault == Fault::credentials);
  CHECK(polled.error().message.find(" apart, and a signature is valid for 15 min") != std::string::npos);
  CHECK(polled.error().message.find("set the clock") != std::string::npos);
}

TEST_CASE("a wrong secret, an unknown topic and a wrong url each have their message") {
  Lab lab;
  SourceSettings settings;
  settings.name = "lab";
  const auto message = [&](Server server, job::Definition definition) {
    const auto source = make_source(server, settings, *lab.client, lab.workers, lab.clock, nullptr);
    REQUIRE(source);
    const auto polled = lab.await((*source)->poll(definition, 1));
    REQUIRE_FALSE(polled);
    return polled.error().message;
  };
  Server wrong = lab.who;
  wrong.credentials.secret = "not-the-secret";
  CHECK(message(wrong, lab.definition).find("is the API secret of remoteci/") != std::string::npos);
  CHECK(message(wrong, lab.definition).find("not-the-secret") == std::string::npos);
  job::Definition unknown = lab.definition;
  unknown.topic = "OCP-4.61";
  CHECK(message(lab.who, unknown).find("did you mean \"OCP-4.16\"?") != std::string::npos);
  Server elsewhere = lab.who;
  elsewhere.url += "/somewhere";
  CHECK(message(elsewhere, lab.definition).find("is the url right?") != std::string::npos);
}

}  // namespace
}  // namespace outpost::dci
