#include "plugins/dlrn/reporter.hpp"

#include "agent/job/event_types.hpp"
#include "plugins/dlrn/builder.hpp"

namespace outpost::dlrn {
namespace {

using namespace test;

const std::string aggregate(32, 'a');
const std::string job_id = "0199aaaa-0000-7000-8000-000000000001";

job::Component build_component(const BuildHash& build) {
  job::Component component;
  component.id = to_string(build);
  component.data = {{data::kind, "build"}, {data::commit, build.commit}, {data::distro, build.distro}, {data::extended, build.extended}};
  return component;
}

job::Component aggregate_component() {
  job::Component component;
  component.id = aggregate;
  component.data = {{data::kind, "aggregate"}, {data::aggregate, aggregate}};
  return component;
}

struct Ended {
  job::Story story;
  job::Event event;

  explicit Ended(job::Verdict verdict, std::vector<job::Component> components = {build_component(second)}) {
    story.job.definition.name = "nightly";
    story.job.components = std::move(components);
    story.claim = {"dlrn", "claim", {}};
    story.judgement = job::Judgement{.verdict = verdict, .message = "test: 1 of 2 cases failed"};
    event.type = job::event::job_ended;
    event.job_id = job_id;
    event.occurred_at = *parse_rfc3339("2026-11-20T22:19:19.5Z");
    event.data = {{"verdict", to_string(verdict)}};
  }
  std::vector<journal::Item> items(VoteSettings settings = {.source = "dlrn"}) const { return expand(event, story, settings); }
};

TEST_CASE("the end of a job is a vote on each of its hashes") {
  const Ended ended{job::Verdict::failure, {build_component(second), aggregate_component()}};
  const auto items = ended.items();
  REQUIRE(items.size() == 2);
  CHECK(items[0].key == job_id + "/vote/" + to_string(second));
  CHECK(items[0].body.at("success") == false);
  CHECK(items[0].body.at("timestamp") == 1795213159);
  CHECK(items[0].body.at("extended_hash").as_string() == second.extended);
  CHECK_THAT(std::string{items[0].body.at("notes").as_string()}, holds("outpost " + job_id + ": failure: test: 1 of 2 cases failed"));
  CHECK(items[1].body.at("aggregate_hash").as_string() == aggregate);
  CHECK_FALSE(items[1].body.contains("commit_hash"));
}

TEST_CASE("a vote tells where the logs are") {
  Ended ended{job::Verdict::success};
  CHECK(ended.items()[0].body.at("success") == true);
  CHECK(ended.items()[0].body.at("url").as_string() == "urn:uuid:" + job_id);
  ended.story.job.definition.url = "https://lab.example.org/";
  CHECK(ended.items()[0].body.at("url").as_string() == "https://lab.example.org/");
  CHECK(ended.items({.source = "dlrn", .logs_url = "https://logs/{name}/{job}/"})[0].body.at("url").as_string() == "https://logs/nightly/" + job_id + "/");
}

TEST_CASE("an error of the lab votes against the hash unless that is switched off, a killed job never votes") {
  CHECK(Ended{job::Verdict::error}.items()[0].body.at("success") == false);
  CHECK(Ended{job::Verdict::error}.items({.source = "dlrn", .vote_on_error = false}).empty());
  CHECK(Ended{job::Verdict::killed}.items().empty());
}

TEST_CASE("nothing is voted for jobs of another source, or that were never claimed") {
  Ended ended{job::Verdict::success};
  CHECK(ended.items({.source = "other"}).empty());
  ended.story.claim = {};
  CHECK(ended.items().empty());
}

TEST_CASE("trap: no request is idempotent: a vote is delivered once, whatever becomes of the answers") {
  FakeBuilder builder;
  const auto reporter = builder.reporter();
  const auto item = Ended{job::Verdict::success}.items()[0];
  CHECK(reporter->type() == "dlrn");
  CHECK_FALSE(await(reporter->find(item, {}))->has_value());
  builder.loses_answers = true;
  CHECK(std::holds_alternative<pipeline::RetryAfter>(await(reporter->send(item, {}))));
  const auto found = await(reporter->find(item, {}));
  REQUIRE(found);
  CHECK(*found == "nightly@1795213159");
  CHECK(builder.votes.size() == 1);
}

TEST_CASE("trap: a vote in progress and the votes of others are not ours") {
  FakeBuilder builder;
  const auto reporter = builder.reporter();
  const auto item = Ended{job::Verdict::success, {aggregate_component()}}.items()[0];
  const json::object ours{{"job_id", "nightly"}, {"timestamp", 1795213159}, {"in_progress", false}, {"notes", "outpost " + job_id + ": success"}};
  for (const auto& [key, value] : std::map<std::string, json::value>{{"in_progress", true}, {"job_id", "weekly"}, {"timestamp", 1795213160}, {"notes", "outpost 0199"}}) {
    auto other = ours;
    other[key] = value;
    builder.votes = {other};
    CHECK_FALSE(await(reporter->find(item, {}))->has_value());
  }
  builder.votes.push_back(ours);
  CHECK(await(reporter->find(item, {}))->has_value());
  CHECK(builder.count("GET", "/api/agg_status?aggregate_hash=" + aggregate) == 5);
}

TEST_CASE("what an answer means to a vote") {
  FakeBuilder builder;
  const auto reporter = builder.reporter();
  const auto item = Ended{job::Verdict::success}.items()[0];
  const auto outcome = [&](int status, http::Headers headers = {}, std::string body = "") {
    builder.instead = outpost::test::FakeReply{.status = status, .headers = std::move(headers), .body = std::move(body)};
    return await(reporter->send(item, {}));
  };
  CHECK(std::holds_alternative<pipeline::FixCredentials>(outcome(401, {}, "Unauthorized Access")));
  CHECK(std::holds_alternative<pipeline::Parked>(outcome(400, {}, R"({"message":"aggregate_hash not found"})")));
  CHECK(std::holds_alternative<pipeline::Parked>(outcome(415)));
  const auto unknown_aggregate = Ended{job::Verdict::success, {aggregate_component()}}.items()[0];
  builder.instead = outpost::test::FakeReply{.status = 400, .body = R"({"message":"aggregate_hash not found"})"};
  CHECK_THAT(std::get<pipeline::Parked>(await(reporter->send(unknown_aggregate, {}))).reason, holds("400 aggregate_hash not found: a builder takes votes on an aggregate only once it was promoted"));
  CHECK(std::get<pipeline::RetryAfter>(outcome(503, {{"Retry-After", "9"}})).wait == std::chrono::seconds{9});
  auto unknown = item;
  unknown.kind = "song";
  CHECK(std::holds_alternative<pipeline::Parked>(await(reporter->send(unknown, {}))));
}

TEST_CASE("a password that was replaced is used at once") {
  int changes = 0;
  auto renewal = [&]() -> boost::asio::awaitable<Result<std::optional<Login>>> {
    if (++changes != 2) co_return std::optional<Login>{};
    co_return std::optional{Login{"lab2", config::Secret{"new"}}};
  };
  BasicAuthorization authorization{"lab", config::Secret{"old"}, renewal};
  CHECK(*await(authorization.header()) == "Basic " + to_base64("lab:old"));
  CHECK(*await(authorization.header()) == "Basic " + to_base64("lab2:new"));
  CHECK(*await(authorization.header()) == "Basic " + to_base64("lab2:new"));
  CHECK(authorization.user() == "lab2");
}

}  // namespace
}  // namespace outpost::dlrn
