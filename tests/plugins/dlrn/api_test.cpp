#include "plugins/dlrn/api.hpp"

#include "fakes/fake_http_client.hpp"
#include "fakes/fixed_clock.hpp"
#include "plugins/dlrn/printing.hpp"
#include "support/await.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

namespace outpost::dlrn {
namespace {

namespace json = boost::json;
using outpost::test::await;
using outpost::test::FakeHttpClient;
using outpost::test::FakeReply;

const BuildHash build{std::string(40, 'a'), std::string(40, 'b'), ""};
const std::string aggregate(32, 'c');

struct Fixture {
  FakeHttpClient client;
  outpost::test::FixedClock clock;
  Api api = *Api::make(client, clock,
                       {.base = "http://127.0.0.1:1/api-c9/",
                        .authorization = std::make_shared<BasicAuthorization>("lab", config::Secret{"pass:word"})});

  void says(int status, std::string body, http::Headers headers = {{"Content-Type", "application/json"}}) {
    client.reply({.status = status, .headers = std::move(headers), .body = std::move(body)});
  }
  void page(int status, std::string title) {
    says(status, "<!doctype html><html><title>" + title + "</title><p>long text", {{"Content-Type", "text/html; charset=utf-8"}});
  }
  json::object sent() const { return json::parse(std::get<std::string>(client.requests.back().body)).get_object(); }
  std::string_view header(std::string_view name) const { return client.requests.back().headers.get(name); }
};

TEST_CASE("trap: a read has no content type, or the builder would take its parameters from the body") {
  Fixture f;
  f.says(200, "[]");
  BuildHash extended = build;
  extended.extended = "a+b c";
  CHECK(await(f.api.votes(extended))->empty());
  CHECK(f.client.requests[0].url == "http://127.0.0.1:1/api-c9/api/repo_status?commit_hash=" + build.commit + "&distro_hash=" + build.distro +
                                        "&extended_hash=a%2Bb%20c");
  CHECK_FALSE(f.client.requests[0].headers.has("Content-Type"));
  CHECK_FALSE(f.client.requests[0].headers.has("Authorization"));
}

TEST_CASE("reads say who we are where these are protected") {
  Fixture f;
  const Api api = *Api::make(f.client, f.clock,
                             {.base = "http://127.0.0.1:1",
                              .authorization = std::make_shared<BasicAuthorization>("lab", config::Secret{"pass:word"}),
                              .protected_reads = true});
  f.says(200, R"({"components":["compute","network"]})");
  CHECK(*await(api.components()) == std::vector<std::string>{"compute", "network"});
  CHECK(f.header("Authorization") == "Basic bGFiOnBhc3M6d29yZA==");
}

TEST_CASE("trap: a POST has exactly the content type that the builder compares with") {
  Fixture f;
  f.says(201, R"({"job_id":"nightly","success":true,"in_progress":false,"commit_hash":")" + build.commit +
                  R"(","distro_hash":")" + build.distro + R"(","extended_hash":null,"timestamp":1795213159,"url":"http://logs/1","notes":"","user":"lab","component":"compute","aggregate_hash":null})");
  const auto vote = await(f.api.report({.job_id = "nightly", .build = build, .success = true, .url = "http://logs/1",
                                        .timestamp = std::chrono::sys_seconds{std::chrono::seconds{1795213159}}}));
  REQUIRE(vote);
  CHECK(f.header("Content-Type") == "application/json");
  CHECK(f.header("Authorization") == "Basic bGFiOnBhc3M6d29yZA==");
  CHECK(f.sent() == json::object{{"job_id", "nightly"}, {"success", true}, {"url", "http://logs/1"}, {"timestamp", 1795213159},
                                 {"commit_hash", build.commit}, {"distro_hash", build.distro}});
  CHECK(vote->build == build);
  CHECK(vote->component == "compute");
  CHECK(vote->aggregate.empty());
  CHECK(vote->timestamp.time_since_epoch().count() == 1795213159);
  CHECK(f.client.requests[0].idle_timeout == std::chrono::seconds{60});
}

TEST_CASE("a vote on an aggregate names nothing else") {
  Fixture f;
  f.says(201, R"({"aggregate_hash":")" + aggregate + R"(","job_id":"j","success":false})");
  CHECK(await(f.api.report({.job_id = "j", .build = build, .aggregate = aggregate}))->aggregate == aggregate);
  CHECK(f.sent().at("aggregate_hash").as_string() == aggregate);
  CHECK_FALSE(f.sent().contains("commit_hash"));
}

TEST_CASE("trap: a promotion's time is a float in its own answer and an integer in lists") {
  Fixture f;
  f.says(201, R"({"timestamp":1795213180.0,"promote_name":"tested","aggregate_hash":null,"repo_url":"http://t/x"})");
  const auto promoted = await(f.api.promote({build, "tested"}));
  REQUIRE(promoted);
  CHECK(promoted->timestamp.time_since_epoch().count() == 1795213180);
  f.says(200, R"([{"timestamp":1795213180,"promote_name":"tested"},{"timestamp":"soon"},{"timestamp":1e300},7,null])");
  const auto rows = await(f.api.promotions({.label = "tested"}));
  REQUIRE(rows);
  REQUIRE(rows->size() == 3);
  CHECK(rows->at(0).timestamp == promoted->timestamp);
  CHECK(rows->at(1).timestamp.time_since_epoch().count() == 0);
  CHECK(rows->at(2).timestamp.time_since_epoch().count() == 0);
}

TEST_CASE("trap: of a batch only the last row has the aggregate") {
  Fixture f;
  f.says(200, R"([{"aggregate_hash":")" + aggregate + R"(","component":"network"},{"aggregate_hash":null,"component":"compute"}])");
  const auto rows = await(f.api.promotions({.label = "tested", .offset = 2, .limit = 5}));
  CHECK(rows->at(0).aggregate == aggregate);
  CHECK(rows->at(1).aggregate.empty());
  CHECK(f.client.requests[0].url.ends_with("/api/promotions?promote_name=tested&offset=2&limit=5"));
}

TEST_CASE("trap: an empty batch is a 500 at the builder, so it is not sent") {
  Fixture f;
  const auto nothing = await(f.api.promote_batch({}));
  CHECK(nothing.error().meaning == Meaning::refused);
  CHECK(f.client.requests.empty());
  f.says(201, R"({"aggregate_hash":")" + aggregate + R"(","timestamp":1795213180.0})");
  CHECK(await(f.api.promote_batch({{build, "a"}, {build, "b"}}))->aggregate == aggregate);
  const auto items = json::parse(std::get<std::string>(f.client.requests.back().body)).as_array();
  CHECK(items.size() == 2);
  CHECK(f.client.requests.back().idle_timeout >= std::chrono::seconds{120});
}

TEST_CASE("trap: error bodies are pages, and only the status counts") {
  Fixture f;
  const auto failure = [&] { return await(f.api.promote({build, "tested"})).error(); };
  f.says(401, "Unauthorized Access", {{"Content-Type", "text/html; charset=utf-8"}});
  auto refused = failure();
  CHECK(refused.meaning == Meaning::fix_credentials);
  CHECK(refused.message.find("401 Unauthorized Access: asked as lab") != std::string::npos);
  CHECK(refused.message.find("pass:word") == std::string::npos);
  f.says(403, "Unauthorized Access", {{"Content-Type", "text/html; charset=utf-8"}});
  CHECK(failure().meaning == Meaning::fix_credentials);
  f.says(403, R"({"message":"No permission"})");
  CHECK(failure().meaning == Meaning::forbidden);
  f.page(400, "400 Bad Request");
  CHECK(failure().meaning == Meaning::refused);
  f.says(400, R"({"message":"commit_hash+distro_hash not found"})");
  CHECK(failure().message == "POST /api/promote: 400 commit_hash+distro_hash not found");
  f.says(415, R"({"message":"Unsupported"})");
  CHECK(failure().meaning == Meaning::refused);
  f.page(404, "404 Not Found");
  CHECK(failure().meaning == Meaning::refused);
  f.says(409, R"({"message":"built"})");
  CHECK(failure().meaning == Meaning::conflict);
  f.says(410, R"({"message":"gone"})");
  CHECK(failure().meaning == Meaning::gone);
}

TEST_CASE("trap: two promoters at once: a 500, after which nobody knows what happened") {
  Fixture f;
  f.page(500, "500 Internal Server Error");
  const auto failure = await(f.api.promote({build, "tested"})).error();
  CHECK(failure.meaning == Meaning::retry_later);
  CHECK(failure.uncertain);
  CHECK(failure.message.find("500 Internal Server Error") != std::string::npos);
  f.page(500, "500 Internal Server Error");
  CHECK_FALSE(await(f.api.votes(build)).error().uncertain);  // A read changes nothing.
  f.says(429, "", {{"Retry-After", "7"}});
  const auto later = await(f.api.promote({build, "tested"})).error();
  CHECK(later.wait == std::chrono::seconds{7});
  CHECK_FALSE(later.uncertain);
}

TEST_CASE("a lost answer leaves a write uncertain, refused TLS does not") {
  Fixture f;
  f.client.reply({.error = Error{Fault::retry_later, "connection reset"}});
  CHECK(await(f.api.promote({build, "tested"})).error().uncertain);
  f.client.reply({.error = Error{Fault::refused, "certificate has expired"}});
  const auto tls = await(f.api.promote({build, "tested"})).error();
  CHECK(tls.meaning == Meaning::fix_credentials);
  CHECK_FALSE(tls.uncertain);
}

TEST_CASE("a portal's page with 200 is no answer") {
  Fixture f;
  f.page(200, "Welcome to the hotel");
  CHECK(await(f.api.votes(build)).error().meaning == Meaning::retry_later);
  f.says(200, R"({"result":"ok"})");
  CHECK(await(f.api.votes(build)).error().meaning == Meaning::retry_later);
  f.says(201, "[]");
  CHECK(await(f.api.promote({build, "tested"})).error().uncertain);
}

TEST_CASE("trap: open reads ignore wrong credentials, so a POST tests them") {
  Fixture f;
  f.says(200, R"({"result":"ok, no commits in DB"})");
  CHECK(*await(f.api.health()) == "ok, no commits in DB");
  CHECK_FALSE(f.client.requests[0].headers.has("Authorization"));
  f.says(200, R"({"result":"ok"})");
  CHECK(await(f.api.check_credentials()));
  CHECK(f.client.requests[1].method == "POST");
  CHECK(f.client.requests[1].headers.has("Authorization"));
}

TEST_CASE("trap: a token that was refused may have been seen before: with another one it is tried once more") {
  struct Tokens final : Authorization {
    int given = 0, refusals = 0;
    boost::asio::awaitable<Result<std::string>> header() override { co_return "Negotiate " + std::to_string(++given); }
    bool refused() override { return ++refusals > 0; }
    std::string user() const override { return "lab"; }
  };
  Fixture f;
  const auto tokens = std::make_shared<Tokens>();
  const Api api = *Api::make(f.client, f.clock, {.base = "http://127.0.0.1:1", .authorization = tokens});
  const http::Headers page{{"Content-Type", "text/html; charset=utf-8"}};
  f.says(403, "Unauthorized Access", page);
  CHECK(await(api.check_credentials()).error().meaning == Meaning::fix_credentials);
  CHECK(tokens->refusals == 0);  // Who we are is known.
  f.says(401, "Unauthorized Access", page);
  f.says(201, R"({"promote_name":"tested"})");
  CHECK(await(api.promote({build, "tested"})));
  CHECK(f.header("Authorization") == "Negotiate 3");
  f.says(401, "Unauthorized Access", page);
  f.says(401, "Unauthorized Access", page);
  CHECK(await(api.promote({build, "tested"})).error().meaning == Meaning::fix_credentials);
  CHECK(f.client.requests.size() == 5);
  f.says(401, "Unauthorized Access", page);
  CHECK(await(api.votes(build)).error().meaning == Meaning::fix_credentials);  // An open read does not say who we are.
  CHECK(f.client.requests.size() == 6);
}

TEST_CASE("a builder that repeats our password is not repeated") {
  Fixture f;
  f.says(400, R"({"message":"pass:word is wrong, and so is bGFiOnBhc3M6d29yZA=="})");
  CHECK(await(f.api.promote({build, "tested"})).error().message == "POST /api/promote: 400 *** is wrong, and so is ***");
}

TEST_CASE("without credentials nothing is written, and no request is sent") {
  Fixture f;
  const Api api = *Api::make(f.client, f.clock, {.base = "http://127.0.0.1:1"});
  CHECK(await(api.promote({build, "tested"})).error().meaning == Meaning::fix_credentials);
  CHECK(f.client.requests.empty());
  CHECK_FALSE(api.may_write());
}

TEST_CASE("what was tested last, and taking it") {
  Fixture f;
  const std::string row = R"({"commit_hash":")" + build.commit + R"(","distro_hash":")" + build.distro +
                          R"(","extended_hash":"x","job_id":"consistent","in_progress":true,"success":false,"timestamp":5,"user":null,"component":null})";
  f.says(200, row);
  CHECK(await(f.api.last_tested({.max_age = std::chrono::hours{24}, .success = true, .job_id = "first", .component = "compute"}))->build.extended == "x");
  CHECK(f.client.requests[0].url.ends_with("/api/last_tested_repo?max_age=24&success=true&job_id=first&component=compute"));
  f.says(201, row);
  CHECK(await(f.api.claim_tested({.previous_job_id = "first", .sequential = true}, "mine"))->in_progress);
  CHECK(f.sent() == json::object{{"max_age", 0}, {"reporting_job_id", "mine"}, {"sequential_mode", true}, {"previous_job_id", "first"}});
}

TEST_CASE("the base is an address without a query") {
  FakeHttpClient client;
  outpost::test::FixedClock clock;
  CHECK(Api::make(client, clock, {.base = "trunk.example.org"}).error().fault == Fault::malformed);
  CHECK(Api::make(client, clock, {.base = "http://x/api?y"}).error().fault == Fault::malformed);
}

}  // namespace
}  // namespace outpost::dlrn
