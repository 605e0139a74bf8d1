#include "agent/telemetry/exporter.hpp"

#include "agent/base/wakeup.hpp"

#include "fakes/fake_http_client.hpp"
#include "fakes/fixed_clock.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/otlp_reader.hpp"

using namespace outpost;
using namespace outpost::test;
using namespace outpost::telemetry;
using namespace std::chrono_literals;

namespace {

/// An exporter on a loop of its own, and the collector that it talks to.
struct Telling {
  explicit Telling(FakeHttpClient::Script script, Patience given = {}) : client{std::make_shared<FakeHttpClient>(std::move(script))} {
    given.gather = 0ms;
    given.retry_first = 1ms;
    given.retry_longest = 2ms;
    exporter.emplace(Exporter::Ports{loop.get_executor(), clock, [this] { return figures.families(); }, [this](const auto& line) { warnings.push_back(line); },
                                     [this](const auto& line) { notices.push_back(line); }},
                     Resource{{"service.name", "outpost"}}, given);
  }
  void begin(bool traces, bool metrics) {
    exporter->go_on_with(Destination{.url = "http://collector:4318", .headers = {{"Authorization", "Bearer 1"}}, .traces = traces, .metrics = metrics, .interval = 1ms, .client = client});
  }
  void add(unsigned count) {
    for (unsigned at = 0; at < count; ++at)
      exporter->add({.trace_id = "019e0000000070008000000000000001", .span_id = "00f067aa0ba902b7", .parent_id = {}, .name = std::to_string(next++), .begin = clock.time, .end = clock.time, .attributes = {}});
  }
  std::int64_t told(const char* key) { return exporter->status().at(key).to_number<std::int64_t>(); }
  template <class So>
  void until(So is_so) {
    const auto limit = std::chrono::steady_clock::now() + 60s;
    while (!is_so()) {
      if (std::chrono::steady_clock::now() > limit) throw std::runtime_error{"it does not come to that"};
      loop.restart();
      loop.run_one_for(100ms);
    }
  }
  /// The names of all spans that were sent, request by request.
  std::vector<std::vector<std::string>> sent() {
    std::vector<std::vector<std::string>> all;
    for (const auto& request : client->requests) {
      if (!request.url.ends_with("/v1/traces")) continue;
      OtlpReader read;
      read.read_traces(std::get<std::string>(request.body));
      auto& names = all.emplace_back();
      for (const auto& span : read.spans) names.push_back(span.name);
    }
    return all;
  }

  boost::asio::io_context loop;
  FixedClock clock;
  std::shared_ptr<FakeHttpClient> client;
  Figures figures;
  std::vector<std::string> warnings, notices;
  unsigned next = 0;
  std::optional<Exporter> exporter;
};

FakeReply reply(int status, std::string body = "{}", http::Headers headers = {}) { return {.status = status, .headers = std::move(headers), .body = std::move(body)}; }

}  // namespace

TEST_CASE("spans that wait together travel together, as JSON and with the headers that are wanted") {
  Telling telling{[](const auto&) { return reply(200); }};
  telling.begin(true, false);
  telling.add(3);
  telling.until([&] { return telling.told("spans_sent") == 3; });
  CHECK(telling.sent() == std::vector<std::vector<std::string>>{{"0", "1", "2"}});
  const auto& request = telling.client->requests.front();
  CHECK(request.method == "POST");
  CHECK(request.url == "http://collector:4318/v1/traces");
  CHECK(request.headers.get("Content-Type") == "application/json");
  CHECK(request.headers.get("Authorization") == "Bearer 1");
  CHECK(telling.exporter->status().at("last_contact") == "2026-11-20T22:12:12.000000Z");
  CHECK(telling.warnings.empty());
}

TEST_CASE("a collector that does not answer is asked again, told of in one line, and in one more when it is back") {
  unsigned asked = 0;
  Telling telling{[&](const auto&) -> FakeReply {
    if (++asked < 4) return {.error = Error{Fault::retry_later, "collector: connection refused"}};
    return asked < 6 ? reply(503) : reply(200);
  }};
  telling.begin(true, false);
  telling.add(1);
  telling.until([&] { return telling.told("spans_sent") == 1; });
  CHECK(asked == 6);
  CHECK(telling.warnings.size() == 1);
  CHECK_THAT(telling.warnings.at(0), holds("http://collector:4318") && holds("connection refused"));
  CHECK(telling.notices.size() == 1);
  CHECK(telling.exporter->status().at("last_error") == "");
}

TEST_CASE("no more than the queue holds waits, and the oldest go first") {
  bool up = false;
  Telling telling{[&](const auto&) -> FakeReply { return up ? reply(200) : FakeReply{.error = Error{Fault::retry_later, "down"}}; }, {.queue = 10, .batch = 4}};
  telling.begin(true, false);
  telling.add(1);
  telling.until([&] { return telling.warnings.size() == 1; });  // One travels.
  telling.add(20);
  CHECK(telling.told("spans_waiting") == 10);
  CHECK(telling.told("spans_lost") == 11);
  up = true;
  telling.until([&] { return telling.told("spans_sent") == 10; });
  const auto sent = telling.sent();
  CHECK(sent.back().back() == "20");
  for (const auto& batch : sent) CHECK(batch.size() <= 4);
}

TEST_CASE("what a collector refuses is not sent again, and said") {
  Telling telling{[](const http::Request& request) { return request.url.ends_with("traces") ? reply(401, R"({"message": "no token"})") : reply(200); }};
  telling.begin(true, false);
  telling.add(2);
  telling.until([&] { return telling.told("spans_lost") == 2; });
  telling.add(1);
  telling.until([&] { return telling.told("spans_lost") == 3; });
  CHECK(telling.client->requests.size() == 2);
  REQUIRE(telling.warnings.size() == 1);
  CHECK_THAT(telling.warnings[0], holds("401: no token"));
}

TEST_CASE("a part that was refused counts as lost") {
  Telling telling{[](const auto&) { return reply(200, R"({"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too old"}})"); }};
  telling.begin(true, false);
  telling.add(3);
  telling.until([&] { return telling.told("spans_sent") == 1; });
  CHECK(telling.told("spans_lost") == 2);
  CHECK_THAT(telling.warnings.at(0), holds("refused 2 spans: too old"));
}

TEST_CASE("figures go at each interval, and those that got lost are not kept") {
  unsigned asked = 0;
  Telling telling{[&](const auto&) { return ++asked == 2 ? reply(502) : reply(200); }};
  telling.figures.family("outpost_slots", "gauge", "Slots.");
  telling.figures.sample({}, 2);
  telling.begin(false, true);
  telling.add(1);  // Nobody wants it.
  telling.until([&] { return asked >= 4; });
  OtlpReader read;
  read.read_metrics(std::get<std::string>(telling.client->requests.at(0).body));
  CHECK(read.metrics.at("outpost_slots").points.at(0).value == 2);
  CHECK(telling.client->requests.at(0).url == "http://collector:4318/v1/metrics");
  CHECK(telling.warnings.size() == 1);
  CHECK(telling.notices.size() == 1);
  CHECK(telling.told("spans_waiting") == 0);
}

TEST_CASE("spans and figures that fail alike are one line") {
  unsigned asked = 0;
  Telling telling{[&](const auto&) -> FakeReply { return ++asked, FakeReply{.error = Error{Fault::retry_later, "connection refused"}}; }};
  telling.begin(true, true);
  telling.add(1);
  telling.until([&] { return asked >= 8; });
  CHECK(telling.warnings.size() == 1);
}

TEST_CASE("the same destination set anew is not complained of anew") {
  unsigned asked = 0;
  Telling telling{[&](const auto&) -> FakeReply { return ++asked, FakeReply{.error = Error{Fault::retry_later, "down"}}; }};
  telling.begin(false, true);
  telling.until([&] { return telling.warnings.size() == 1; });
  telling.begin(false, true);
  const auto before = asked;
  telling.until([&] { return asked > before + 3; });
  CHECK(telling.warnings.size() == 1);
}

TEST_CASE("a new destination gets what waits, the old one no more") {
  Telling telling{[](const auto&) -> FakeReply { return {.error = Error{Fault::retry_later, "down"}}; }};
  telling.begin(true, false);
  telling.add(1);
  telling.until([&] { return !telling.warnings.empty(); });
  telling.add(2);
  const auto other = std::make_shared<FakeHttpClient>([](const auto&) { return reply(200); });
  telling.exporter->go_on_with(Destination{.url = "http://other", .headers = {}, .client = other});
  telling.until([&] { return telling.told("spans_sent") == 2; });
  for (const auto& request : other->requests) CHECK(request.url.starts_with("http://other/"));
  telling.exporter->go_on_with(std::nullopt);
  CHECK(telling.exporter->status().empty());
  CHECK_FALSE(telling.exporter->takes_spans());
  telling.add(1);
}

TEST_CASE("at the end the rest is sent once, and nobody is waited for") {
  unsigned asked = 0;
  SECTION("a collector that answers gets it") {
    Telling telling{[&](const auto&) { return ++asked, reply(200); }};
    telling.begin(true, true);
    telling.add(2);
    bool done = false;
    boost::asio::co_spawn(telling.loop, telling.exporter->stop(), [&](std::exception_ptr) { done = true; });
    telling.until([&] { return done; });
    CHECK(telling.sent().back() == std::vector<std::string>{"0", "1"});
  }
  SECTION("one that hangs does not") {
    Telling telling{[&](const auto&) { return ++asked, FakeReply{.hang = true}; }, {.farewell = 20ms}};
    telling.begin(true, true);
    telling.add(2);
    bool done = false;
    boost::asio::co_spawn(telling.loop, telling.exporter->stop(), [&](std::exception_ptr) { done = true; });
    telling.until([&] { return done; });
  }
  CHECK(asked > 0);
}
