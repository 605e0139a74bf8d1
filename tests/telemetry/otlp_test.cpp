#include "agent/telemetry/otlp.hpp"

#include "fakes/fixed_clock.hpp"
#include "support/catch.hpp"
#include "support/otlp_reader.hpp"

#include <limits>

using namespace outpost;
using namespace outpost::test;
using namespace outpost::telemetry;
using namespace std::chrono_literals;

namespace {

const Timestamp now = *parse_rfc3339("2026-11-20T22:12:12.5Z");

Span a_span() {
  return {.trace_id = "019e0000000070008000000000000001", .span_id = "00f067aa0ba902b7", .parent_id = "", .name = "RUN nightly", .begin = now - 2s, .end = now,
          .attributes = {{"text", "x"}, {"number", -4}, {"truth", true}, {"list", boost::json::array{"a", "b"}}}, .failed = false, .message = ""};
}

Receipt answered(int status, std::string body = "", http::Headers headers = {}) {
  return receipt_of(http::Response{status, std::move(headers), std::move(body)}, now);
}

}  // namespace

TEST_CASE("spans are written as a strict reader wants them") {
  auto below = a_span();
  below.span_id = "00f067aa0ba902b8";
  below.parent_id = "00f067aa0ba902b7";
  below.failed = true;
  below.name = "a\"b\x1b\xff";
  below.message = "no \xe2\x82\xac and \xff";
  OtlpReader read;
  read.read_traces(trace_request({{"service.name", "outpost"}, {"host.name", "lab"}}, {a_span(), below}));
  CHECK(read.resource == std::map<std::string, std::string>{{"service.name", "outpost"}, {"host.name", "lab"}});
  REQUIRE(read.spans.size() == 2);
  CHECK(read.spans[0].kind == 2);
  CHECK(read.spans[0].begin == 1795212730500000000);
  CHECK(read.spans[0].end == 1795212732500000000);
  CHECK(read.spans[0].status == 0);
  CHECK(read.spans[0].attributes == std::map<std::string, std::string>{{"text", "x"}, {"number", "-4"}, {"truth", "true"}, {"list", "a,b"}});
  CHECK(read.spans[1].kind == 1);
  CHECK(read.spans[1].parent == "00f067aa0ba902b7");
  CHECK(read.spans[1].status == 2);
  CHECK_FALSE(read.spans[1].message.empty());
}

TEST_CASE("figures are written as gauges, cumulative sums and summaries") {
  Figures figures;
  figures.family("outpost_slots", "gauge", "Slots.");
  figures.sample({}, 2);
  figures.family("outpost_disk_free_bytes", "gauge", "Free.");
  figures.sample({}, std::numeric_limits<double>::quiet_NaN());
  figures.family("outpost_jobs_total", "counter", "Jobs.");
  figures.sample({{"verdict", "success"}}, 3);
  figures.sample({{"verdict", "failure"}}, 1);
  figures.family("outpost_job_stage_seconds", "summary", "Stages.");
  figures.sample_of("_sum", {{"stage", "test"}}, 2.5);
  figures.sample_of("_count", {{"stage", "test"}}, 4);
  figures.family("outpost_none_total", "counter", "Nothing yet.");
  OtlpReader read;
  read.read_metrics(metric_request({{"service.name", "outpost"}}, figures.families(), now - 1h, now));
  CHECK(read.metrics.size() == 4);
  CHECK(read.metrics.at("outpost_slots").kind == "gauge");
  CHECK(read.metrics.at("outpost_slots").points.at(0).value == 2);
  CHECK(read.metrics.at("outpost_disk_free_bytes").points.empty());
  CHECK(read.metrics.at("outpost_disk_free_bytes").unit == "By");
  const auto& jobs = read.metrics.at("outpost_jobs_total");
  CHECK(jobs.kind == "sum");
  CHECK(jobs.points.at(1).value == 1);
  CHECK(jobs.points.at(1).attributes.at("verdict") == "failure");
  CHECK(jobs.points.at(1).time - jobs.points.at(1).start == 3600000000000);
  const auto& stages = read.metrics.at("outpost_job_stage_seconds");
  CHECK(stages.unit == "s");
  CHECK(stages.points.at(0).sum == 2.5);
  CHECK(stages.points.at(0).count == 4);
}

TEST_CASE("a collector's answer says whether to send again") {
  using Kind = Receipt::Kind;
  CHECK(answered(200, "{}").kind == Kind::taken);
  CHECK(answered(202).kind == Kind::taken);
  CHECK(answered(200, "\x0a\x02").rejected == 0);
  for (const int status : {429, 502, 503, 504}) CHECK(answered(status).kind == Kind::later);
  for (const int status : {301, 400, 401, 403, 404, 413, 500, 501}) CHECK(answered(status).kind == Kind::rejected);
  CHECK(answered(503, "", {{"Retry-After", "120"}}).wait == 120s);
  CHECK(answered(429, "", {{"Retry-After", "Fri, 20 Nov 2026 22:12:42 GMT"}, {"Date", "Fri, 20 Nov 2026 22:12:12 GMT"}}).wait == 30s);
  CHECK_FALSE(answered(400, "", {{"Retry-After", "120"}}).wait);
  CHECK(answered(401, R"({"code": 16, "message": "no token"})").message == "it answers 401: no token");
  CHECK(receipt_of(Error{Fault::refused, "certificate"}, now).kind == Kind::later);
  const auto part = answered(200, R"({"partialSuccess": {"rejectedSpans": "3", "errorMessage": "too old"}})");
  CHECK(part.kind == Kind::taken);
  CHECK(part.rejected == 3);
  CHECK(part.message == "too old");
  CHECK(answered(200, R"({"partialSuccess": {"rejectedDataPoints": 7}})").rejected == 7);
  for (const char* odd : {"[]", "nonsense", R"({"partialSuccess": 3})", R"({"partialSuccess": {"rejectedSpans": -1}})"}) CHECK(answered(200, odd).rejected == 0);
}

TEST_CASE("the strict reader of OTLP is strict") {
  const std::string good = trace_request({{"service.name", "outpost"}}, {a_span()});
  CHECK_NOTHROW(OtlpReader{}.read_traces(good));
  const auto with = [&](const std::string& from, const std::string& to) {
    const auto at = good.find(from);
    REQUIRE(at != std::string::npos);
    return std::string{good}.replace(at, from.size(), to);
  };
  for (const auto& bad : {std::string{"{}"}, with("traceId", "trace_id"), with("019e", "019E"), with("\"1795212732500000000\"", "1795212732500000000"), with("\"kind\":2", "\"kind\":\"SPAN_KIND_SERVER\""),
                          with("\"intValue\":\"-4\"", "\"intValue\":-4"), with("00f067aa0ba902b7", "0000000000000000"), with("service.name", "name")})
    CHECK_THROWS(OtlpReader{}.read_traces(bad));
}
