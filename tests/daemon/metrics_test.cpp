// What GET /metrics answers, read as strictly as the text format of Prometheus (version 0.0.4) is defined.
#include "agent/daemon/metrics.hpp"
#include "agent/control/metrics_page.hpp"
#include "agent/job/event_types.hpp"

#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/document.hpp"

#include <boost/json/parse.hpp>

#include <charconv>
#include <cstring>
#include <map>
#include <set>
#include <stdexcept>

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;

namespace {

struct Family {
  std::string type;
  std::map<std::string, double> samples;  ///< By name and labels, as they stand there.
};

/// Throws at the first thing that the format does not allow, or that Prometheus' own linter complains about.
class StrictReader {
 public:
  explicit StrictReader(const std::string& text) {
    if (text.empty() || text.back() != '\n') throw std::runtime_error{"the last line has no end"};
    for (const auto& line : split(text.substr(0, text.size() - 1), '\n')) read(line);
    if (!helped_.empty()) throw std::runtime_error{"HELP without TYPE: " + helped_};
  }

  std::map<std::string, Family> families;

 private:
  void read(const std::string& line) {
    if (!is_utf8(line)) fail("no UTF-8", line);
    static const std::regex help{"# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)"},
        type{"# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|summary)"};
    std::smatch match;
    if (line.starts_with("# HELP")) {
      if (!std::regex_match(line, match, help) || !helped_.empty() || families.contains(match[1])) fail("HELP", line);
      helped_ = match[1];
    } else if (line.starts_with("# TYPE")) {
      if (!std::regex_match(line, match, type) || match[1] != helped_) fail("TYPE", line);
      current_ = std::exchange(helped_, {});
      families[current_].type = match[2];
      if (current_.ends_with("_total") != (match[2] == "counter"))
        fail("a counter's name ends in _total, and no other", line);
    } else {
      sample(line);
    }
  }

  void sample(const std::string& line) {
    static const std::string label = "[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\\]|\\\\[\\\\n\"])*\"";
    static const std::regex form{"([a-zA-Z_:][a-zA-Z0-9_:]*)(\\{" + label + "(?:," + label + ")*\\})? (\\S+)"};
    std::smatch match;
    if (!helped_.empty() || !std::regex_match(line, match, form)) fail("a sample", line);
    const std::string name = match[1], number = match[3];
    const bool ours = name == current_ || (families[current_].type == "summary" &&
                                           (name == current_ + "_sum" || name == current_ + "_count"));
    if (!ours) fail("a sample of another family than the last", line);
    double value = 0;
    const auto [rest, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc{} || rest != number.data() + number.size()) fail("a number", line);
    for (const char byte : line)
      if (static_cast<unsigned char>(byte) < 0x20) fail("a control byte", line);
    if (!families[current_].samples.emplace(name + match[2].str(), value).second) fail("the same series twice", line);
  }

  [[noreturn]] static void fail(const std::string& what, const std::string& line) {
    throw std::runtime_error{what + ": " + line};
  }

  std::string helped_, current_;
};

job::Event happened(std::string_view type, boost::json::object data, std::string job = "j1") {
  job::Event event;
  event.type = type;
  event.job_id = std::move(job);
  event.data = std::move(data);
  return event;
}

std::string text_of(const daemon::Metrics& metrics, const boost::json::object& status, const std::vector<daemon::ServerFigures>& servers, const std::map<std::string, double>& oldest) {
  return telemetry::to_prometheus(metrics.families(status, servers, oldest));
}

boost::json::object status() {
  return boost::json::parse(
             R"({"version": "0.1.0", "runner": "local", "state": "busy", "slots": {"total": 2, "busy": 1},
    "jobs": {"running": [{}], "waiting": []}, "resources": {"rack\"4\\\n": {"held_by": "j1"}, "free": {"held_by": null}},
    "alarms": [{"kind": "parked"}, {"kind": "parked"}],
    "promotions": [{"name": "master", "outcome": "failed", "runs": {"well": 2, "failed": 1, "busy": 0}, "last_run": "2026-11-20T22:12:12Z", "last_success": null,
                    "targets": [{"target": "current-tripleo", "promoted": 1, "missing": ["a", "b"], "last_promoted": null}]}],
    "reporters": [{"name": "dci", "waiting": 3, "parked": 1, "delivered": 40, "retried": {"later": 7, "credentials": 0, "reread": 1}}],
    "disk": {"total": 1000, "free": 400, "journal": 10, "history": 20,
             "spool": {"waiting": 5, "limit": 100, "artifacts_waiting": 6, "artifacts_limit": 200}}})")
      .as_object();
}

}  // namespace

TEST_CASE("the figures are counted from events, and read by a strict reader") {
  daemon::Metrics metrics;
  metrics.note(happened(event::stage_ended, {{"stage", "install"}, {"outcome", "ok"}, {"duration_ms", 1500}}));
  metrics.note(happened(event::stage_ended, {{"stage", "install"}, {"outcome", "ok"}, {"duration_ms", 500}}));
  metrics.note(happened(event::step_ended, {{"stage", "install"}, {"plugin", "acme"}, {"class", "fail"}}));
  metrics.note(happened(event::verdict_reached, {{"verdict", "failure"}, {"reason", "step-failed"}}));
  metrics.note(happened(event::log_gap, {{"bytes", 512}}));
  auto cut = happened(event::log_cut, {});
  cut.blobs.push_back({.path = "x", .size = 4096});
  metrics.note(cut);
  metrics.note(happened(event::job_ended, {{"verdict", "failure"}}));
  metrics.note(happened(event::job_ended, {{"verdict", "success"}}, "began before"));

  const StrictReader read{text_of(metrics, status(), {{"dci", 0.25, -3, true}, {"other", 1, 0, false}}, {{"dci", 61.5}})};
  const auto value = [&](const std::string& family, const std::string& series) {
    return read.families.at(family).samples.at(series);
  };
  CHECK(value("outpost_jobs_total", R"(outpost_jobs_total{verdict="failure",reason="step-failed"})") == 1);
  CHECK(value("outpost_jobs_total", R"(outpost_jobs_total{verdict="success",reason="unknown"})") == 1);
  CHECK(value("outpost_job_stage_seconds", R"(outpost_job_stage_seconds_sum{stage="install",outcome="ok"})") == 2);
  CHECK(value("outpost_job_stage_seconds", R"(outpost_job_stage_seconds_count{stage="install",outcome="ok"})") == 2);
  CHECK(value("outpost_hook_exit_total", R"(outpost_hook_exit_total{plugin="acme",point="install",class="fail"})") ==
        1);
  CHECK(value("outpost_log_bytes_total", "outpost_log_bytes_total") == 4096);
  CHECK(value("outpost_log_gap_bytes_total", "outpost_log_gap_bytes_total") == 512);
  CHECK(value("outpost_state", R"(outpost_state{state="busy"})") == 1);
  CHECK(value("outpost_state", R"(outpost_state{state="idle"})") == 0);
  CHECK(value("outpost_resource_busy", R"(outpost_resource_busy{resource="rack\"4\\\n"})") == 1);
  CHECK(value("outpost_resource_busy", R"(outpost_resource_busy{resource="free"})") == 0);
  CHECK(value("outpost_alarms", R"(outpost_alarms{kind="parked"})") == 2);
  CHECK(value("outpost_spool_bytes", R"(outpost_spool_bytes{what="artifacts"})") == 6);
  CHECK(value("outpost_spool_oldest_seconds", R"(outpost_spool_oldest_seconds{reporter="dci"})") == 61.5);
  CHECK(value("outpost_upload_retries_total", R"(outpost_upload_retries_total{reporter="dci",class="later"})") == 7);
  CHECK(value("outpost_server_rtt_seconds", R"(outpost_server_rtt_seconds{source="dci"})") == 0.25);
  CHECK(value("outpost_clock_skew_seconds", R"(outpost_clock_skew_seconds{source="dci"})") == -3);
  CHECK(value("outpost_promotion_runs_total", R"(outpost_promotion_runs_total{promotion="master",outcome="well"})") == 2);
  CHECK(value("outpost_promotion_failing", R"(outpost_promotion_failing{promotion="master"})") == 1);
  CHECK(value("outpost_promotion_last_run_timestamp_seconds", R"(outpost_promotion_last_run_timestamp_seconds{promotion="master"})") == 1795212732);
  CHECK(value("outpost_promotion_last_success_timestamp_seconds", R"(outpost_promotion_last_success_timestamp_seconds{promotion="master"})") == 0);
  CHECK(value("outpost_promoted_total", R"(outpost_promoted_total{promotion="master",target="current-tripleo"})") == 1);
  CHECK(value("outpost_promotion_missing_jobs", R"(outpost_promotion_missing_jobs{promotion="master",target="current-tripleo"})") == 2);
  CHECK(read.families.at("outpost_clock_skew_seconds").samples.size() == 1);
}

TEST_CASE("figures of a daemon that has nothing to tell yet are well-formed too") {
  const StrictReader read{text_of(daemon::Metrics{}, {}, {}, {})};
  CHECK(read.families.at("outpost_jobs_total").samples.empty());
}

TEST_CASE("names of strangers cannot break out of a label") {
  daemon::Metrics metrics;
  metrics.note(happened(event::step_ended,
                        {{"stage", "test"}, {"plugin", "a\"} 1\noutpost_evil 2\x1b[31m\xff"}, {"class", "ok"}}));
  const StrictReader read{text_of(metrics, status(), {}, {})};
  CHECK(read.families.at("outpost_hook_exit_total").samples.size() == 1);
}

TEST_CASE("the strict reader is strict") {
  const std::string good = "# HELP a_total x\n# TYPE a_total counter\na_total{b=\"c\"} 1\n";
  CHECK_NOTHROW(StrictReader{good});
  for (const char* bad :
       {"", "a 1\n", "# HELP a x\na 1\n", "# HELP a x\n# TYPE a counter\na 1\n", "# HELP a x\n# TYPE a gauge\na one\n",
        "# HELP a x\n# TYPE a gauge\nb 1\n", "# HELP a x\n# TYPE a gauge\na 1\na 1\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"c\"d\"} 1\n", "# HELP a x\n# TYPE a gauge\na 1"})
    CHECK_THROWS(StrictReader{bad});
}

TEST_CASE("the page of figures leaves every other path alone") {
  struct Asked final : http::ServerRequest {
    boost::asio::awaitable<Result<std::string>> read_some() override { co_return std::string{}; }
  } request;
  const http::Handler rest = [](http::ServerRequest&) -> boost::asio::awaitable<http::ServerResponse> {
    http::ServerResponse other;
    other.status = 418;
    co_return other;
  };
  const auto handler = control::with_metrics(rest, [] { return std::string{"figures\n"}; });
  request.method = "GET";
  request.path = "/metrics";
  const auto page = test::await(handler(request));
  CHECK(page.status == 200);
  CHECK(page.headers.get("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(std::get<std::string>(page.body) == "figures\n");
  request.method = "POST";
  CHECK(test::await(handler(request)).status == 405);
  request.path = "/metrics/x";
  CHECK(test::await(handler(request)).status == 418);
}

TEST_CASE("README and Grafana's dashboard know the figures that there are, and no others") {
  Words known;
  for (const auto& [name, family] : StrictReader{text_of(daemon::Metrics{}, status(), {}, {})}.families) known.insert(name);
  REQUIRE(known.size() > 20);
  Words documented;
  for (const auto& row : rows(section(text_of("samples/grafana/README.md"), "## Figures")))
    for (const auto& name : quoted(row.at(0))) documented.insert(name.substr(0, name.find('{')));
  CHECK(documented == known);
  const std::string dashboard = text_of("samples/grafana/outpost.json");
  boost::system::error_code error;
  const auto parsed = boost::json::parse(dashboard, error);
  REQUIRE_FALSE(error);
  CHECK(parsed.at("panels").as_array().size() > 8);
  Words used;
  for (const auto& name : all_matches(dashboard, "\\boutpost_[a-z_]+")) {
    std::string family = name;
    for (const char* ending : {"_sum", "_count"})
      if (family.ends_with(ending)) family.resize(family.size() - std::strlen(ending));
    used.insert(family);
  }
  CHECK(without(used, known) == Words{});
}
