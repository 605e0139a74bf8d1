#include "plugins/dci/answer.hpp"

#include "agent/http/retry_after.hpp"
#include "plugins/dci/fake_client.hpp"
#include "plugins/dci/test_data.hpp"
#include "support/catch.hpp"

#include <boost/json/array.hpp>

namespace outpost::dci {
namespace {

using test::answer;
using test::page;
using test::recorded;
using test::refusal;
using test::text;

const Timestamp noon = *parse_rfc3339("2026-11-20T12:00:00Z");

Expectation expecting(const std::string& key) {
  return {"POST /api/v1/jobstates",
          key,
          key.ends_with("s"),
          "api.example.org",
          "remoteci/1d2f9a3c-0b4e-4c5d-8e6f-7a8b9c0d1e2f",
          noon,
          0};
}

Judged judged(http::Response response, const std::string& key = "jobstate") {
  return judge(read_answer(std::move(response), "s3cret"), expecting(key));
}

bool says(const Judged& judged, std::string_view part) { return judged.message.find(part) != std::string::npos; }

TEST_CASE("trap: a wrong signature is a 400, and needs a person, not a retry or a parked item") {
  const auto wrong = judged(refusal(400, "HmacMechanism failed: signature is invalid"));
  CHECK(wrong.meaning == Meaning::fix_credentials);
  CHECK(says(wrong, "is the API secret of remoteci/1d2f9a3c"));
  CHECK(says(wrong, "signed: api.example.org"));
  CHECK(judged(refusal(400, "HmacMechanism failed: bad or incomplete headers.")).meaning == Meaning::fix_credentials);
}

TEST_CASE("trap: the server's clock window is 15 minutes, and both times are told") {
  const auto late =
      judged(refusal(400, "HmacMechanism failed: signature is expired", {{"Date", "Fri, 20 Nov 2026 12:23:00 GMT"}}));
  CHECK(late.meaning == Meaning::fix_credentials);
  CHECK(says(late, "2026-11-20T12:00:00"));
  CHECK(says(late, "Fri, 20 Nov 2026 12:23:00 GMT"));
  CHECK(says(late, "23min"));
  CHECK(says(late, "15 min"));
  const auto early =
      judged(refusal(400, "HmacMechanism failed: signature is expired", {{"Date", "Fri, 20 Nov 2026 11:00:00 GMT"}}));
  CHECK(says(early, "apart"));
  const auto unknown = judged(refusal(400, "HmacMechanism failed: signature is expired"));
  CHECK(unknown.meaning == Meaning::fix_credentials);
  CHECK(says(unknown, "does not say its time"));
}

TEST_CASE("trap: an upload that takes longer than a signature is valid says nothing about credentials or clocks") {
  const auto after = [](std::chrono::seconds took, const std::string& date, const std::string& words = "expired") {
    Expectation expected = expecting("file");
    expected.took = took;
    return judge(read_answer(refusal(400, "HmacMechanism failed: signature is " + words, {{"Date", date}}), ""),
                 expected);
  };
  const auto slow = after(std::chrono::minutes{20}, "Fri, 20 Nov 2026 12:20:01 GMT");
  CHECK(slow.meaning == Meaning::too_slow);
  CHECK(says(slow, "took 20min"));
  CHECK(says(slow, "15 min"));
  CHECK(after(std::chrono::minutes{10}, "Fri, 20 Nov 2026 12:16:00 GMT").meaning == Meaning::too_slow);
  const auto skewed = after(std::chrono::minutes{20}, "Fri, 20 Nov 2026 13:20:00 GMT");
  CHECK(skewed.meaning == Meaning::fix_credentials);
  CHECK(says(skewed, "clock skew 3600 s"));
  CHECK(after(std::chrono::seconds{1}, "Fri, 20 Nov 2026 12:00:01 GMT").meaning == Meaning::fix_credentials);
  CHECK(after(std::chrono::minutes{20}, "Fri, 20 Nov 2026 12:20:01 GMT", "invalid").meaning ==
        Meaning::fix_credentials);
}

TEST_CASE("a 401 is about who we are or about what we may, and only its words tell") {
  CHECK(judged(refusal(401, "identity does not exists.")).meaning == Meaning::fix_credentials);
  CHECK(judged(refusal(401, "Authorization header missing")).meaning == Meaning::fix_credentials);
  CHECK(judged(refusal(401, "Operation not authorized.")).meaning == Meaning::refused);
  // A gateway that wants a login: nothing is lost by waiting for a person.
  CHECK(judged(page(401, "Login")).meaning == Meaning::fix_credentials);
}

TEST_CASE("a 412 of an inactive team needs a person, others are final") {
  CHECK(judged(refusal(412, "team lab not active")).meaning == Meaning::fix_credentials);
  CHECK(judged(refusal(412, "Topic 4d67d0ae:OCP not active.")).meaning == Meaning::refused);
  CHECK(judged(refusal(412, "'If-match' header must be provided")).meaning == Meaning::refused);
}

TEST_CASE("a 400, 409 or 412 that is not DCI's says nothing about what was sent") {
  for (const int status : {400, 409, 412}) {
    const auto waits = judged(page(status, "Blocked by policy"));
    CHECK(waits.meaning == Meaning::retry_later);
    CHECK(says(waits, "Blocked by policy"));
    CHECK(says(waits, "a proxy or a firewall"));
  }
  CHECK(judged(refusal(400, "name too long")).meaning == Meaning::refused);
  CHECK(judged(refusal(409, "kv already exists")).meaning == Meaning::duplicate);
  // A bad signature is one however its words come.
  CHECK(judged(page(400, "HmacMechanism failed: signature is invalid")).meaning == Meaning::fix_credentials);
}

TEST_CASE("a 403 needs a person, who is told where to look") {
  for (const auto& forbidden : {page(403, "Blocked by policy"), refusal(403, "Forbidden")}) {
    CHECK(judged(forbidden).meaning == Meaning::fix_credentials);
    CHECK(says(judged(forbidden), "a proxy or a firewall"));
  }
  CHECK(says(judged(page(403, "Blocked by policy")), "Blocked by policy"));
}

TEST_CASE("trap: a page is not an answer, whatever its status") {
  CHECK(judged(page(200, "Welcome to the hotel")).meaning == Meaning::retry_later);
  CHECK(says(judged(page(200, "Welcome to the hotel")), "Welcome to the hotel"));
  CHECK(judged(page(200), "").meaning == Meaning::retry_later);
  CHECK(judged({201, {}, ""}, "jobstate").meaning == Meaning::retry_later);
  CHECK(judged({201, {}, "{\"jobstate\": {\"id\": \"cut"}, "jobstate").meaning == Meaning::retry_later);
  CHECK(judged(answer(200, {{"something", 1}})).meaning == Meaning::retry_later);
  CHECK(judged(answer(200, {{"jobstate", nullptr}})).meaning == Meaning::retry_later);
  CHECK(judged(page(500)).meaning == Meaning::retry_later);
  CHECK(judged(page(407)).meaning == Meaning::retry_later);
  CHECK(judged({302, {{"Location", "http://portal/"}}, ""}).meaning == Meaning::retry_later);
  const auto moved = judged({301, {{"Location", "https://api.example.org/api/v1/jobstates?token=x"}}, ""});
  CHECK(says(moved, "301: sent on to https://api.example.org/api/v1/jobstates, which"));
  CHECK_FALSE(says(moved, "token"));
  CHECK(judged({204, {}, ""}, "").meaning == Meaning::ok);
}

TEST_CASE("trap: the page for a malformed uuid or an unknown route says that the url is wrong") {
  const auto route = judged(page(404, "404 Not Found"));
  CHECK(route.meaning == Meaning::retry_later);
  CHECK(says(route, "is the url right?"));
  CHECK(judged(refusal(404, "job not found")).meaning == Meaning::gone);
}

TEST_CASE("Retry-After is read in seconds and as a date") {
  const auto wait = [](http::Headers headers) { return http::retry_after(headers, noon); };
  CHECK(wait({{"Retry-After", "120"}}) == std::chrono::seconds{120});
  CHECK(wait({{"Retry-After", "Fri, 20 Nov 2026 12:05:00 GMT"}}) == std::chrono::minutes{5});
  // Counted by the server's own clock when it tells it.
  CHECK(wait({{"Retry-After", "Fri, 20 Nov 2026 12:05:00 GMT"}, {"Date", "Fri, 20 Nov 2026 12:04:00 GMT"}}) ==
        std::chrono::minutes{1});
  CHECK(wait({{"Retry-After", "Fri, 20 Nov 2026 11:00:00 GMT"}}) == std::chrono::milliseconds{0});
  CHECK(wait({{"Retry-After", "99999999999999999999999"}}) == std::chrono::hours{24});
  CHECK_FALSE(wait({{"Retry-After", "soon"}}));
  CHECK_FALSE(wait({}));
  auto busy = page(503);
  busy.headers.set("Retry-After", "7");
  CHECK(judged(busy).wait == std::chrono::seconds{7});
  auto slow_down = refusal(429, "slow down");
  slow_down.headers.set("Retry-After", "9");
  CHECK(judged(slow_down).wait == std::chrono::seconds{9});
}

TEST_CASE("trap: the secret of the remoteci inside a job never leaves the answer") {
  const auto job =
      read_answer(answer(200, {{"job", {{"id", "x"}, {"remoteci", {{"api_secret", "abc"}, {"name", "lab"}}}}}}), "");
  CHECK(boost::json::serialize(job.json).find("api_secret") == std::string::npos);
  CHECK(boost::json::serialize(job.json).find("lab") != std::string::npos);
  // A cut document is not JSON, and its text is not repeated.
  const auto cut = read_answer({200, {}, R"({"job": {"remoteci": {"api_secret": "abc")"}, "");
  CHECK(cut.words.empty());
  const auto echoed = read_answer(refusal(400, "SELECT ... 's3cret'"), "s3cret");
  CHECK(echoed.words == "SELECT ... '***'");
}

TEST_CASE("the server's words are made safe and short") {
  const auto long_words = read_answer(refusal(400, std::string(5000, 'x') + "\x1b[2J"), "");
  CHECK(long_words.words.size() < 400);
  CHECK(read_answer(refusal(400, "a\x1b[2Jb\nc"), "").words == "a\\x1b[2Jb\\nc");
  std::string accents;
  for (int i = 0; i < 400; ++i) accents += "é";
  CHECK(is_utf8(read_answer(refusal(400, accents), "").words));
}

TEST_CASE("every recorded refusal has a meaning that fits") {
  const auto answers = recorded("recorded-answers.json");
  const std::vector<std::pair<std::string, Meaning>> expected{
      {"003-err-401-no-authorization", Meaning::fix_credentials},
      {"004-err-401-unknown-scheme", Meaning::fix_credentials},
      {"005-err-401-basic-unknown-user", Meaning::fix_credentials},
      {"009-err-401-jwt-expired", Meaning::fix_credentials},
      {"023-err-400-hmac-bad-secret", Meaning::fix_credentials},
      {"024-err-401-hmac-unknown-remoteci", Meaning::fix_credentials},
      {"025-err-400-hmac-expired", Meaning::fix_credentials},
      {"027-err-400-hmac-no-date-header", Meaning::fix_credentials},
      {"028-err-500-hmac-malformed-authorization", Meaning::retry_later},
      {"030-err-400-hmac-v1-empty-where-param", Meaning::fix_credentials},
      {"035-err-412-schedule-no-component", Meaning::refused},
      {"038-err-409-component-duplicate", Meaning::duplicate},
      {"040-err-401-component-create-remoteci-no-team", Meaning::refused},
      {"048-err-400-list-limit-without-offset", Meaning::refused},
      {"054-err-400-list-bad-query", Meaning::refused},
      {"073-err-404-job-schedule-unknown-topic", Meaning::gone},
      {"075-err-400-job-schedule-as-user", Meaning::refused},
      {"078-err-400-body-not-json", Meaning::retry_later},
      {"079-err-500-body-content-type-not-json", Meaning::retry_later},
      {"083-err-404-html-bad-uuid-in-path", Meaning::retry_later},
      {"084-err-404-html-unknown-route", Meaning::retry_later},
      {"095-err-412-job-put-no-if-match", Meaning::refused},
      {"096-err-404-job-put-stale-etag", Meaning::gone},
      {"102-err-409-job-kv-same-key-same-value", Meaning::duplicate},
      {"108-err-400-jobstate-unknown-status", Meaning::refused},
      {"109-err-404-jobstate-unknown-job", Meaning::gone},
      {"119-err-400-file-no-name", Meaning::refused},
      {"124-err-400-file-junit-invalid-xml", Meaning::refused}};
  for (const auto& [name, meaning] : expected) {
    CAPTURE(name);
    const auto& one = answers.at(name).get_object();
    const auto result = judged({static_cast<int>(one.at("status").get_int64()), {}, text(one.at("body"))});
    CHECK(result.meaning == meaning);
    CHECK(says(result, "POST /api/v1/jobstates: " + std::to_string(one.at("status").get_int64())));
  }
  for (const auto& [name, key] :
       {std::pair{"081-job-get", "job"}, std::pair{"046-component-list-query-dsl", "components"},
        std::pair{"105-jobstate-new", "jobstate"}, std::pair{"090-job-add-component", ""}}) {
    CAPTURE(name);
    const auto& one = answers.at(name).get_object();
    CHECK(judged({static_cast<int>(one.at("status").get_int64()), {}, text(one.at("body"))}, key).meaning ==
          Meaning::ok);
  }
}

TEST_CASE("what the network says is tried again, what TLS says needs a person") {
  CHECK(judge(Error{Fault::retry_later, "connection refused"}, expecting("x")).meaning == Meaning::retry_later);
  CHECK(judge(Error{Fault::malformed, "not HTTP"}, expecting("x")).meaning == Meaning::retry_later);
  CHECK(judge(Error{Fault::refused, "certificate has expired"}, expecting("x")).meaning == Meaning::fix_credentials);
  CHECK(to_error({Meaning::retry_later, "m", {}}).fault == Fault::retry_later);
  CHECK(to_error({Meaning::gone, "m", {}}).fault == Fault::refused);
}

}  // namespace
}  // namespace outpost::dci
