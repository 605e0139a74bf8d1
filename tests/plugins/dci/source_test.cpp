#include "plugins/dci/source.hpp"

#include "plugins/dci/dci.hpp"
#include "plugins/dci/fake_server.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"

namespace outpost::dci {
namespace {

using outpost::test::await;
using pipeline::Candidates;
using test::FakeServer;
using test::page;
using test::refusal;
using test::Seen;

const Error reset{Fault::retry_later, "connection reset"};

struct Fixture {
  Fixture() {
    topic = server.add_topic("OCP-4.16", {"ocp", "rhcos"});
    definition.name = "nightly";
    definition.topic = "OCP-4.16";
    definition.selections = {"ocp"};
  }

  DciSource make() {
    return DciSource{*Api::make(server.client, clock, test::lab, "https://dci.example.org"),
                     server.client,
                     workers,
                     clock,
                     nullptr,
                     settings()};
  }
  SourceSettings settings() {
    SourceSettings made;
    made.name = "lab";
    return made;
  }
  Result<std::vector<Candidates>> poll(std::size_t depth = 1) { return await(source.poll(definition, depth)); }
  std::vector<std::string> versions(std::size_t depth = 1) {
    const auto all = poll(depth);
    REQUIRE(all);
    std::vector<std::string> list;
    for (const auto& component : all->at(0).components) list.push_back(component.version);
    return list;
  }
  pipeline::ClaimRequest request() {
    pipeline::ClaimRequest made;
    made.claim_id = "0197f2aa-0000-7000-8000-000000000001";
    made.job.id = "job-1";
    made.job.definition = definition;
    made.job.components = components;
    return made;
  }
  void choose(const std::string& type, const std::string& version) {
    job::Component component;
    component.id = server.add_component(topic, type, version);
    component.type = type;
    component.topic_id = topic;
    components.push_back(component);
  }
  std::size_t count(const std::string& method, const std::string& path) {
    return static_cast<std::size_t>(
        std::count_if(server.client.seen.begin(), server.client.seen.end(),
                      [&](const Seen& seen) { return seen.method == method && seen.path == path; }));
  }

  FakeServer server;
  test::FixedClock clock;
  Workers workers{1};
  std::string topic;
  job::Definition definition;
  std::vector<job::Component> components;
  DciSource source{*Api::make(server.client, clock, test::lab, "https://dci.example.org"),
                   server.client,
                   workers,
                   clock,
                   nullptr,
                   settings()};
};

TEST_CASE("a poll finds the newest components of each selection, best first") {
  Fixture f;
  f.server.add_component(f.topic, "ocp", "4.16.1", {"build:ga"}, "2026-01-01T00:00:00");
  f.server.add_component(f.topic, "ocp", "4.16.3", {"build:nightly"}, "2026-03-01T00:00:00");
  f.server.add_component(f.topic, "ocp", "4.16.2", {"build:ga"}, "2026-02-01T00:00:00");
  f.server.add_component(f.topic, "rhcos", "9.4", {}, "2026-01-01T00:00:00");
  CHECK(f.versions() == std::vector<std::string>{"4.16.3"});
  CHECK(f.versions(10) == std::vector<std::string>{"4.16.3", "4.16.2", "4.16.1"});
  f.definition.selections = {"ocp?tags:build:ga", "rhcos"};
  CHECK(f.versions(2) == std::vector<std::string>{"4.16.2", "4.16.1"});
  const auto all = f.poll();
  REQUIRE(all);
  CHECK(all->size() == 2);
  CHECK(all->at(1).selection == "rhcos");
  CHECK(all->at(1).components.at(0).name == "rhcos 9.4");
  CHECK(f.server.client.seen.back().parameter("limit") == "1");
  CHECK(f.server.client.seen.back().parameter("sort") == "-released_at");
}

TEST_CASE("priority tags decide before age: the first tag that anything has wins") {
  Fixture f;
  f.server.add_component(f.topic, "ocp", "old-ga", {"build:ga"}, "2026-01-01T00:00:00");
  f.server.add_component(f.topic, "ocp", "new-dev", {"build:dev"}, "2026-03-01T00:00:00");
  f.definition.selections = {R"({"type": "ocp", "priority_tags": ["build:candidate", "build:ga", "build:dev"]})"};
  CHECK(f.versions(5) == std::vector<std::string>{"old-ga"});
  f.definition.selections = {R"({"type": "ocp", "priority_tags": ["build:candidate"]})"};
  CHECK(f.versions().empty());
}

TEST_CASE("what only this side can compare is read page by page") {
  Fixture f;
  for (int i = 0; i < 250; ++i)
    f.server.add_component(f.topic, "ocp", "v" + std::to_string(i), {}, "2026-01-01T00:00:00");
  f.server.components.back()["name"] = "one, two";
  f.server.components.front()["name"] = "one, two";
  f.definition.selections = {"ocp?name:one, two"};
  CHECK(f.versions(5).size() == 2);
}

TEST_CASE("the topic is remembered for a while, and asked for again later") {
  Fixture f;
  REQUIRE(f.poll());
  REQUIRE(f.poll());
  CHECK(f.count("GET", "/api/v1/topics") == 1);
  f.clock.time += std::chrono::minutes{11};
  REQUIRE(f.poll());
  CHECK(f.count("GET", "/api/v1/topics") == 2);
}

TEST_CASE("an unknown topic and a missing permission look the same, and the message says so") {
  Fixture f;
  f.definition.topic = "OCP-4.61";
  const auto polled = f.poll();
  REQUIRE_FALSE(polled);
  CHECK(polled.error().fault == Fault::refused);
  const auto& message = polled.error().message;
  for (const char* part :
       {"topic \"OCP-4.61\"", "https://dci.example.org", "no permission", "remoteci/", "did you mean \"OCP-4.16\"?"})
    CHECK(message.find(part) != std::string::npos);
  CHECK(message.find(test::lab.secret) == std::string::npos);
}

TEST_CASE("a topic whose name has a comma is found among all") {
  Fixture f;
  const auto odd = f.server.add_topic("RHEL 9, beta", {"compose"});
  f.server.add_component(odd, "compose", "1");
  f.definition.topic = "RHEL 9, beta";
  f.definition.selections = {"compose"};
  CHECK(f.versions() == std::vector<std::string>{"1"});
}

TEST_CASE("a type that the topic does not have is a problem of its selection alone") {
  Fixture f;
  f.definition.selections = {"opc", "ocp"};
  const auto told = f.poll();
  REQUIRE(told);
  CHECK(told->at(0).problem.find("no component type \"opc\"; it has ocp, rhcos") != std::string::npos);
  CHECK(told->at(1).problem.empty());
  // A team's own components may have any type.
  f.server.add_component(f.topic, "my-app", "1");
  f.definition.selections = {"my-app"};
  CHECK(f.versions().size() == 1);
  CHECK(f.poll()->at(0).problem.empty());
}

TEST_CASE("a server that is down, a portal and wrong credentials are told apart") {
  Fixture f;
  f.server.before = [](const Seen&) { return std::optional<Result<http::Response>>{page(503)}; };
  CHECK(f.poll().error().fault == Fault::retry_later);
  f.server.before = [](const Seen&) { return std::optional<Result<http::Response>>{page(200, "Hotel")}; };
  CHECK(f.poll().error().fault == Fault::retry_later);
  f.server.before = [](const Seen&) {
    return std::optional<Result<http::Response>>{refusal(401, "identity does not exists.")};
  };
  CHECK(f.poll().error().fault == Fault::credentials);
  f.clock.time += std::chrono::minutes{20};
  f.server.before = [](const Seen&) {
    return std::optional<Result<http::Response>>{test::answer(200, {{"topics", {{"x", 1}}}})};
  };
  CHECK(f.poll().error().fault == Fault::retry_later);
}

TEST_CASE("a definition is checked without a server") {
  Fixture f;
  CHECK(f.source.check(f.definition));
  CHECK(f.server.client.seen.empty());
  f.definition.selections = {"ocp", "ocp?ga"};
  CHECK(f.source.check(f.definition).error().message.find("selection \"ocp?ga\", character 5") == 0);  // Who asks knows the job.
  f.definition.selections = {};
  CHECK_FALSE(f.source.check(f.definition));
  f.definition.selections = {"ocp"};
  f.definition.url = "ftp://x";
  CHECK_FALSE(f.source.check(f.definition));
  f.definition.url = "https://x";
  f.definition.topic = "";
  CHECK_FALSE(f.source.check(f.definition));
  DciSource feeder{*Api::make(f.server.client, f.clock, {"feeder/1d2f9a3c-0b4e-4c5d-8e6f-7a8b9c0d1e2f", "s"},
                              "https://dci.example.org"),
                   f.server.client,
                   f.workers,
                   f.clock,
                   nullptr,
                   f.settings()};
  f.definition.topic = "OCP-4.16";
  CHECK(feeder.check(f.definition).error().message.find("only a remoteci can take jobs") != std::string::npos);
}

TEST_CASE("a claim creates the job with everything the definition says, and a mark") {
  Fixture f;
  f.choose("ocp", "4.16.3");
  f.choose("rhcos", "9.4");
  f.definition.configuration = "baremetal";
  f.definition.comment = "from the lab";
  f.definition.url = "https://example.org/x";
  f.definition.tags = {"agent:outpost", " "};
  const auto claimed = await(f.source.claim(f.request()));
  REQUIRE(claimed);
  const auto& job = f.server.job(claimed->claim.external_ref);
  CHECK(claimed->claim.source == "lab");
  CHECK(FakeServer::text(job, "name") == "nightly");
  CHECK(FakeServer::text(job, "configuration") == "baremetal");
  CHECK(FakeServer::text(job, "comment") == "from the lab");
  CHECK(FakeServer::text(job, "url") == "https://example.org/x");
  CHECK(FakeServer::text(job, "topic_id") == f.topic);
  CHECK(boost::json::serialize(job.at("tags")) ==
        R"(["agent:outpost","outpost:0197f2aa-0000-7000-8000-000000000001"])");
  CHECK(job.at("components").get_array().size() == 2);
  CHECK_FALSE(job.contains("previous_job_id"));
  CHECK(claimed->document.at("components").get_array().size() == 2);
  CHECK(claimed->url == "https://dci.example.org/api/v1/jobs/" + claimed->claim.external_ref);
}

TEST_CASE("trap: no secret of the job or the topic is in what a claim returns") {
  Fixture f;
  f.choose("ocp", "4.16.3");
  const auto claimed = await(f.source.claim(f.request()));
  REQUIRE(claimed);
  const auto document = boost::json::serialize(claimed->document);
  CHECK(document.find(test::lab.secret) == std::string::npos);
  CHECK(document.find("hunter2") == std::string::npos);
  CHECK(document.find("api_secret") == std::string::npos);
}

TEST_CASE("the previous job is the newest of the same name, topic and remoteci") {
  Fixture f;
  f.choose("ocp", "1");
  const auto other = f.server.add_job({{"name", "Nightly"}, {"topic_id", f.topic}});
  f.server.add_job({{"name", "nightly"}, {"topic_id", f.topic}, {"remoteci_id", FakeServer::id()}});
  const auto first = f.server.add_job({{"name", "nightly"}, {"topic_id", f.topic}});
  const auto second = f.server.add_job({{"name", "nightly"}, {"topic_id", f.topic}});
  f.server.add_job({{"name", "nightly"}, {"topic_id", FakeServer::id()}});
  f.server.add_job({{"name", "NIGHTLY"}, {"topic_id", f.topic}});
  const auto claimed = await(f.source.claim(f.request()));
  REQUIRE(claimed);
  CHECK(FakeServer::text(f.server.job(claimed->claim.external_ref), "previous_job_id") == second);
  f.definition.name = "night, ly*";
  const auto odd = f.server.add_job({{"name", "night, ly*"}, {"topic_id", f.topic}});
  const auto again = await(f.source.claim(f.request()));
  REQUIRE(again);
  CHECK(FakeServer::text(f.server.job(again->claim.external_ref), "previous_job_id") == odd);
}

TEST_CASE("a job whose answer was lost is found by its mark, once") {
  Fixture f;
  f.choose("ocp", "1");
  CHECK_FALSE(*await(f.source.find(f.request())));
  bool lost = false;
  f.server.after = [&](const Seen& seen) -> std::optional<Result<http::Response>> {
    if (lost || seen.method != "POST") return std::nullopt;
    lost = true;
    return Result<http::Response>{reset};
  };
  const auto claimed = await(f.source.claim(f.request()));
  REQUIRE_FALSE(claimed);
  CHECK(claimed.error().fault == Fault::retry_later);
  const auto found = await(f.source.find(f.request()));
  REQUIRE(found);
  REQUIRE(*found);
  CHECK((*found)->claim.external_ref == FakeServer::text(f.server.jobs.at(0), "id"));
  CHECK(f.count("POST", "/api/v1/jobs") == 1);
}

TEST_CASE("the mark of another claim or another remoteci is not ours") {
  Fixture f;
  f.server.add_job({{"tags", boost::json::array{"outpost:0197f2aa-0000-7000-8000-000000000001-x"}}});
  f.server.add_job({{"tags", boost::json::array{"outpost:0197f2aa-0000-7000-8000-000000000001"}},
                    {"remoteci_id", FakeServer::id()}});
  CHECK_FALSE(*await(f.source.find(f.request())));
}

TEST_CASE("trap: a job that was left without components is repaired, and adding one answers an empty 201") {
  Fixture f;
  f.choose("ocp", "1");
  f.choose("rhcos", "2");
  const auto half = f.server.add_job(
      {{"tags", boost::json::array{"outpost:0197f2aa-0000-7000-8000-000000000001"}}, {"topic_id", f.topic}});
  const auto found = await(f.source.find(f.request()));
  REQUIRE(found);
  REQUIRE(*found);
  CHECK((*found)->claim.external_ref == half);
  CHECK(f.server.job(half).at("components").get_array().size() == 2);
  CHECK((*found)->document.at("components").get_array().size() == 2);
}

TEST_CASE(
    "a component that fails after the job was inserted is tried again; if it is refused for good the job is closed") {
  Fixture f;
  f.choose("ocp", "1");
  f.choose("rhcos", "2");
  f.server.refused_components = {f.components[1].id};
  const auto refused = await(f.source.claim(f.request()));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().fault == Fault::refused);
  CHECK(f.server.jobs.size() == 1);
  CHECK(FakeServer::text(f.server.jobs.at(0), "status") == "error");
  CHECK(FakeServer::text(f.server.states.at(0), "comment").find("a component cannot be attached") != std::string::npos);

  Fixture g;
  g.choose("ocp", "1");
  g.server.refused_components = {g.components[0].id};
  g.server.after = [&](const Seen& seen) -> std::optional<Result<http::Response>> {
    if (seen.path == "/api/v1/jobs" && seen.method == "POST") g.server.refused_components.clear();
    return std::nullopt;
  };
  const auto repaired = await(g.source.claim(g.request()));
  REQUIRE(repaired);
  CHECK(repaired->document.at("components").get_array().size() == 1);
}

TEST_CASE("trap: after scheduling, fields that were not given are null or empty, and neither is taken for a value") {
  Fixture f;
  f.choose("ocp", "1");
  f.server.after = [&](const Seen& seen) -> std::optional<Result<http::Response>> {
    if (seen.method == "GET" && seen.path.starts_with("/api/v1/jobs/")) {
      auto job = f.server.jobs.back();
      job["comment"] = nullptr;
      job["configuration"] = "";
      job["topic"] = nullptr;
      job["remoteci"] = nullptr;
      return test::answer(200, {{"job", job}});
    }
    return std::nullopt;
  };
  const auto claimed = await(f.source.claim(f.request()));
  REQUIRE(claimed);
  CHECK_FALSE(claimed->document.contains("topic"));
}

TEST_CASE("a refused claim leaves nothing behind and says why") {
  Fixture f;
  f.choose("ocp", "1");
  f.server.before = [](const Seen& seen) -> std::optional<Result<http::Response>> {
    if (seen.method == "POST") return refusal(412, "Topic x:OCP-4.16 not active.");
    return std::nullopt;
  };
  const auto claimed = await(f.source.claim(f.request()));
  REQUIRE_FALSE(claimed);
  CHECK(claimed.error().fault == Fault::refused);
  CHECK(claimed.error().message.find("not active") != std::string::npos);
}

TEST_CASE("trap: a job that somebody set to killed is cancelled, also when a late state of ours covered it") {
  Fixture f;
  const auto id = f.server.add_job();
  const job::Claim claim{"lab", id, ""};
  CHECK_FALSE(await(f.source.watch(claim))->cancelled);
  f.server.job(id)["status"] = "killed";
  CHECK(await(f.source.watch(claim))->reason == "set to killed at the control server");
  f.server.states.push_back({{"id", FakeServer::id()}, {"job_id", id}, {"status", "killed"}});
  f.server.job(id)["status"] = "running";
  CHECK(await(f.source.watch(claim))->cancelled);
}

TEST_CASE("a job that was deleted is cancelled; a final state of somebody else is only noticed") {
  Fixture f;
  const auto id = f.server.add_job();
  f.server.job(id)["status"] = "success";
  const auto noticed = await(f.source.watch({"lab", id, ""}));
  REQUIRE(noticed);
  CHECK_FALSE(noticed->cancelled);
  CHECK(noticed->reason.find("success") != std::string::npos);
  f.server.job(id)["state"] = "archived";
  CHECK(await(f.source.watch({"lab", id, ""}))->cancelled);
  f.server.before = [](const Seen&) { return std::optional<Result<http::Response>>{page(502)}; };
  CHECK(await(f.source.watch({"lab", id, ""})).error().fault == Fault::retry_later);
  CHECK_FALSE(await(f.source.watch({"lab", "not-an-id", ""})));
}

TEST_CASE("people are shown the page of the job where one is known") {
  Fixture f;
  f.choose("ocp", "1");
  auto settings = f.settings();
  settings.ui_url = "https://ui.example.org/";
  const auto source =
      make_source({"https://dci.example.org", test::lab}, settings, f.server.client, f.workers, f.clock, nullptr);
  REQUIRE(source);
  CHECK((*source)->name() == "lab");
  const auto claimed = await((*source)->claim(f.request()));
  REQUIRE(claimed);
  CHECK(claimed->url == "https://ui.example.org/jobs/" + claimed->claim.external_ref + "/jobStates");
  CHECK_FALSE(make_source({"nonsense", test::lab}, settings, f.server.client, f.workers, f.clock, nullptr));
  CHECK_FALSE(make_reporter({"nonsense", test::lab}, {}, f.server.client, f.workers, f.clock));
  CHECK(source_type().type == "dci");
}

}  // namespace
}  // namespace outpost::dci
