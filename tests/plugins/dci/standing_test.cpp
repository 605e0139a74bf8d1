#include "plugins/dci/standing.hpp"

#include "plugins/dci/fake_client.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"

namespace outpost::dci {
namespace {

using namespace std::chrono_literals;
using outpost::test::await;
using test::answer;
using test::FakeClient;
using test::FixedClock;
using test::lab;
using test::refusal;
using test::Seen;

const http::Response good = answer(200, {{"job", {{"id", "x"}}}});
const http::Response unknown = refusal(401, "identity does not exists.");
const http::Response expired = refusal(400, "HmacMechanism failed: signature is expired");

struct Fixture {
  Fixture() {
    Standing::Options options;
    options.renewal = [this] { return renewed(); };
    options.accepted_again = [this] { ++accepted_again; };
    standing = std::make_shared<Standing>(lab, clock, std::move(options));
    source = std::make_unique<Api>(*Api::make(client, clock, standing, "https://dci.example.org"));
    reporter = std::make_unique<Api>(*Api::make(client, clock, standing, "https://dci.example.org"));
    client.handler = [this](const Seen& seen) -> Result<http::Response> {
      return seen.headers.get("Authorization").find(accepted.client) == std::string_view::npos ? unknown : good;
    };
  }

  boost::asio::awaitable<Result<std::optional<Credentials>>> renewed() {
    co_return std::exchange(replaced, std::nullopt);
  }
  Meaning ask(const Api& api, const std::string& path = "/api/v1/jobs") {
    Call call{.path = path, .key = "job"};
    last = await(api.send(std::move(call)));
    return last.judged.meaning;
  }
  [[nodiscard]] std::size_t requests() const { return client.seen.size(); }

  FakeClient client;
  FixedClock clock;
  Credentials accepted{"remoteci/00000000-0000-4000-8000-00000000000a", "new"};
  std::optional<Credentials> replaced;
  std::shared_ptr<Standing> standing;
  std::unique_ptr<Api> source, reporter;
  Reply last;
  unsigned accepted_again = 0;
};

TEST_CASE("refused credentials cost the server three requests an hour, whoever asks") {
  Fixture f;
  CHECK(f.ask(*f.source) == Meaning::fix_credentials);
  const std::string why = f.last.judged.message;
  for (int minute = 0; minute < 60; ++minute) {
    CHECK(f.ask(*f.source) == Meaning::fix_credentials);
    CHECK(f.ask(*f.reporter, "/api/v1/topics") == Meaning::fix_credentials);
    CHECK(f.last.judged.message == (minute < 20 ? why : f.last.judged.message));
    f.clock.time += 1min;
  }
  CHECK(f.requests() == 3);
}

TEST_CASE("a clock that is off is treated like wrong credentials") {
  Fixture f;
  f.client.handler = [](const Seen&) -> Result<http::Response> { return expired; };
  CHECK(f.ask(*f.source) == Meaning::fix_credentials);
  CHECK(f.ask(*f.reporter) == Meaning::fix_credentials);
  CHECK(f.requests() == 1);
}

TEST_CASE("after the clock was set the server is asked again at once") {
  Fixture f;
  f.client.handler = [](const Seen&) -> Result<http::Response> { return expired; };
  CHECK(f.ask(*f.source) == Meaning::fix_credentials);
  f.standing->ask_again();
  CHECK(f.ask(*f.reporter) == Meaning::fix_credentials);
  CHECK(f.ask(*f.source) == Meaning::fix_credentials);
  CHECK(f.requests() == 2);
  f.standing->ask_again();
  f.client.handler = [](const Seen&) -> Result<http::Response> { return good; };
  CHECK(f.ask(*f.source) == Meaning::ok);
  CHECK(f.accepted_again == 1);
}

TEST_CASE("a 403 to one upload is about that upload when the server still knows us, and about us when not") {
  Fixture f;
  bool knows_us = true;
  f.client.handler = [&](const Seen& seen) -> Result<http::Response> {
    if (seen.method == "POST") return refusal(403, "Blocked by policy");
    return knows_us ? answer(200, {{"identity", {{"id", "x"}}}, {"job", {{"id", "x"}}}}) : refusal(403, "Forbidden");
  };
  const auto post = [&] {
    Call call{.method = "POST", .path = "/api/v1/files", .key = "file"};
    f.last = await(f.reporter->send(std::move(call)));
    return f.last.judged.meaning;
  };
  CHECK(post() == Meaning::refused);
  CHECK(f.last.judged.message.find("it is this request that does not get through") != std::string::npos);
  CHECK_FALSE(f.standing->refusal());
  CHECK(f.ask(*f.source) == Meaning::ok);
  knows_us = false;
  CHECK(post() == Meaning::fix_credentials);
  CHECK(f.standing->refusal());
  const auto before = f.requests();
  CHECK(post() == Meaning::fix_credentials);
  CHECK(f.ask(*f.source) == Meaning::fix_credentials);
  CHECK(f.requests() == before);
}

TEST_CASE("credentials that were replaced are used at once") {
  Fixture f;
  SECTION("while they are refused") {
    CHECK(f.ask(*f.source) == Meaning::fix_credentials);
    f.replaced = f.accepted;
    CHECK(f.ask(*f.reporter) == Meaning::ok);
    CHECK(f.requests() == 2);
    CHECK(f.ask(*f.source) == Meaning::ok);
    CHECK(f.accepted_again == 1);
  }
  SECTION("before anybody knew that the old ones are no longer good") {
    f.replaced = f.accepted;
    CHECK(f.ask(*f.source) == Meaning::ok);
    CHECK(f.requests() == 2);
  }
  SECTION("by others that are no better") {
    f.ask(*f.source);
    f.replaced = Credentials{"remoteci/00000000-0000-4000-8000-00000000000b", "bad"};
    CHECK(f.ask(*f.source) == Meaning::fix_credentials);
    CHECK(f.ask(*f.source) == Meaning::fix_credentials);
    CHECK(f.requests() == 2);
    return;
  }
  CHECK_FALSE(f.standing->refusal());
  CHECK(f.source->credentials().client == f.accepted.client);
  // What was made under the old name is still ours.
  CHECK(f.standing->is_ours(lab.id()));
  CHECK(f.standing->is_ours(f.accepted.id()));
  CHECK_FALSE(f.standing->is_ours("00000000-0000-4000-8000-00000000000c"));
}

TEST_CASE("a refusal of old credentials that comes after they were replaced is not held against the new ones") {
  Fixture f;
  const auto handler = f.client.handler;
  f.client.handler = [&](const Seen& seen) -> Result<http::Response> {
    if (f.requests() == 1) {  // While this request is on its way another one finds the new credentials.
      f.replaced = f.accepted;
      CHECK(await(f.standing->renew()));
    }
    return handler(seen);
  };
  CHECK(f.ask(*f.source) == Meaning::ok);
  CHECK(f.requests() == 2);
  CHECK_FALSE(f.standing->refusal());
}

TEST_CASE("a try that nobody answered does not count") {
  Fixture f;
  f.ask(*f.source);
  f.clock.time += 20min;
  f.client.script.emplace_back(Error{Fault::retry_later, "connection refused"});
  CHECK(f.ask(*f.source) == Meaning::retry_later);
  CHECK(f.ask(*f.source) == Meaning::fix_credentials);
  CHECK(f.requests() == 3);
  CHECK(f.ask(*f.source) == Meaning::fix_credentials);
  CHECK(f.requests() == 3);
}

TEST_CASE("what an endpoint was told to wait holds for all who ask it, and for nobody else") {
  Fixture f;
  const std::string job = "/api/v1/jobs/00000000-0000-4000-8000-00000000000";
  f.client.handler = [](const Seen&) -> Result<http::Response> { return good; };
  f.client.script.emplace_back(refusal(429, "slow down", {{"Retry-After", "120"}}));
  CHECK(f.ask(*f.source, job + "1") == Meaning::retry_later);
  CHECK(f.last.judged.wait == 120s);
  f.clock.time += 119s;
  CHECK(f.ask(*f.reporter, job + "2") == Meaning::retry_later);
  CHECK(f.last.judged.wait == 1s);
  CHECK(f.last.answer.status == 0);
  CHECK(f.requests() == 1);
  CHECK(f.ask(*f.source, job + "1/files") == Meaning::ok);
  f.clock.time += 1s;
  CHECK(f.ask(*f.reporter, job + "2") == Meaning::ok);
}

TEST_CASE("an endpoint is a method and a path without what names one thing") {
  const std::string id = "00000000-0000-4000-8000-000000000001";
  CHECK(endpoint_of("POST", "/api/v1/files") == "POST /api/v1/files");
  CHECK(endpoint_of("GET", "/api/v1/jobs/" + id + "/kv") == "GET /api/v1/jobs/*/kv");
  CHECK(endpoint_of("GET", "/api/v1/components/" + id + "/files/a/b.rpm") == "GET /api/v1/components/*/files");
}

}  // namespace
}  // namespace outpost::dci
