// Traces and figures of a real daemon at a collector's double, which reads them strictly.

#include "integration/sample_lab.hpp"

#include "agent/base/text.hpp"
#include "agent/http/beast/beast_server.hpp"
#include "agent/job/event.hpp"
#include "support/catch.hpp"
#include "support/otlp_reader.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <sys/stat.h>

#include <csignal>
#include <mutex>
#include <thread>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace outpost;
using namespace outpost::test;
using job::text_at;

/// A collector on loopback with a thread of its own. It takes only what a strict reader takes.
class Collector {
 public:
  Collector() {
    http::ListenOptions options{.address = http::TcpAddress{"127.0.0.1", 0}};
    const auto port = server_->listen(std::move(options), [this](http::ServerRequest& request) { return take(request); });
    if (!port) throw std::runtime_error{port.error().message};
    url = "http://127.0.0.1:" + std::to_string(*port);
    thread_ = std::thread{[this] { loop_.run(); }};
  }
  ~Collector() {
    loop_.stop();
    thread_.join();
  }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  /// What came so far; throws what the reader has thrown.
  OtlpReader read() {
    const std::lock_guard lock{mutex_};
    if (!wrong_.empty()) throw std::runtime_error{wrong_};
    return read_;
  }
  void answer(int status) {
    const std::lock_guard lock{mutex_};
    status_ = status;
  }

  std::string url;

 private:
  boost::asio::awaitable<http::ServerResponse> take(http::ServerRequest& request) {
    const auto body = co_await request.read_all(16 << 20);
    const std::lock_guard lock{mutex_};
    http::ServerResponse response;
    response.headers.set("Content-Type", "application/json");
    response.body = std::string{"{\"partialSuccess\":{}}"};
    if (request.headers.get("Authorization") != "Bearer collectors-own-token") {
      response.status = 401;
      response.body = std::string{R"({"code": 16, "message": "no such token"})"};
      co_return response;
    }
    response.status = status_;
    if (status_ != 200) co_return response;
    try {
      if (!body || request.method != "POST" || request.headers.get("Content-Type") != "application/json") throw std::runtime_error{"no OTLP in JSON"};
      if (request.path == "/v1/traces") read_.read_traces(*body);
      else if (request.path == "/v1/metrics") read_.read_metrics(*body);
      else throw std::runtime_error{"nobody asks for " + request.path};
    } catch (const std::exception& error) {
      wrong_ = error.what();
    }
    co_return response;
  }

  std::mutex mutex_;
  OtlpReader read_;
  std::string wrong_;
  int status_ = 200;
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> busy_{loop_.get_executor()};
  std::unique_ptr<http::Server> server_ = http::make_beast_server(loop_.get_executor());
  std::thread thread_;
};

struct ToldLab : SampleLab {
  ToldLab() {
    const auto file = directory.path / "agent/collector.headers";
    write_file(file, "# of the collector\nAuthorization: Bearer collectors-own-token\n");
    ::chmod(file.c_str(), 0600);
    hook("test", "#!/bin/sh\necho $TRACEPARENT >" + traceparent.string() + "\necho the token is collectors-own-token\nexit 1\n");
  }
  void tell(const std::string& url, const std::string& more = "") {
    configure("", "metrics: {otlp: {url: \"" + url + "\", headers: collector.headers, interval: 1s" + more + "}}\n");
  }
  json::object collector_in_status() {
    const auto told = status().at("telemetry");
    return told.is_object() ? told.get_object() : json::object{};
  }
  fs::path traceparent = directory.path / "traceparent";
};

const OtlpReader::Span& of_name(const OtlpReader& read, const std::string& name) {
  for (const auto& span : read.spans)
    if (span.name == name) return span;
  throw std::runtime_error{"no span " + name};
}

}  // namespace

TEST_CASE("a collector gets a job as a trace, to which the spans of hooks belong, and the figures", "[telemetry]") {
  Collector collector;
  ToldLab lab;
  lab.tell(collector.url);
  lab.feed("1.0", {});
  lab.start_agent();
  const auto job = lab.finished_job();
  lab.until("the trace of the job", [&] {
    const auto read = collector.read();
    return std::any_of(read.spans.begin(), read.spans.end(), [](const auto& span) { return span.parent.empty(); });
  });
  const auto read = collector.read();
  const auto local = lab.local("/api/v1/jobs").at("jobs").at(0).as_object();
  const auto root = std::find_if(read.spans.begin(), read.spans.end(), [](const auto& span) { return span.parent.empty(); });
  CHECK(root->trace == replace_all(text_at(local, "job_id"), "-", ""));
  CHECK(root->name == "RUN " + text_at(local, "name"));
  CHECK(root->attributes.at("cicd.pipeline.result") == "failure");
  CHECK(root->attributes.at("cicd.pipeline.run.id") == text_at(local, "job_id"));
  CHECK(root->attributes.at("outpost.remote_id") == text_at(job, "id"));
  const auto& stage = of_name(read, "test");
  const auto& step = of_name(read, "acme");
  CHECK(stage.parent == root->id);
  CHECK(step.parent == stage.id);
  CHECK(step.status == 2);
  CHECK(step.message == "exit status 1");
  CHECK(trim(read_file(lab.traceparent)) == "00-" + step.trace + "-" + step.id + "-01");
  for (const auto& span : read.spans) {
    CHECK(span.trace == root->trace);
    CHECK(span.end <= root->end);
  }
  // A secret of ours like any other.
  CHECK_THAT(lab.log_of(text_at(job, "id"), "test/acme/test"), !holds("collectors-own-token"));

  lab.until("the figures of the job", [&] { return collector.read().metrics.contains("outpost_jobs_total"); });
  const auto figures = collector.read();
  CHECK(figures.metrics.at("outpost_jobs_total").points.at(0).value == 1);
  CHECK(figures.metrics.at("outpost_slots").kind == "gauge");
  CHECK(figures.resource.at("service.name") == "outpost");
  const auto told = lab.collector_in_status();
  CHECK(text_at(told, "url") == collector.url);
  CHECK(text_at(told, "last_error").empty());
  lab.until("all to be acknowledged", [&] { return job::number_at(lab.collector_in_status(), "spans_sent") == static_cast<std::int64_t>(collector.read().spans.size()); });
}

TEST_CASE("a collector that is away holds up no job; it is said once, and it gets the trace when it is back", "[telemetry]") {
  Collector collector;
  collector.answer(503);
  ToldLab lab;
  lab.tell(collector.url);
  lab.feed("1.0", {});
  lab.start_agent();
  CHECK(text_at(lab.finished_job(), "status") == "failure");
  lab.until("the trouble to be seen", [&] { return text_at(lab.collector_in_status(), "last_error") == "it answers 503"; });
  lab.until("spans to wait", [&] { return job::number_at(lab.collector_in_status(), "spans_waiting") > 3; });
  collector.answer(200);
  lab.until("the trace of the job", [&] { return !collector.read().spans.empty() && job::number_at(lab.collector_in_status(), "spans_waiting") == 0; });
  CHECK(job::number_at(lab.collector_in_status(), "spans_lost") == 0);
  lab.until("the good news", [&] { return lab.agent_log().find("again") != std::string::npos; });
  const auto log = lab.agent_log();
  CHECK(log.find("does not take") == log.rfind("does not take"));
}

TEST_CASE("a collector can be set by a reload, and gets the last spans of an agent that is stopped", "[telemetry]") {
  Collector collector;
  ToldLab lab;
  lab.hook("test", "#!/bin/sh\ntouch " + lab.traceparent.string() + "\nexec sleep 3600\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the job to run", [&] { return fs::exists(lab.traceparent); });
  CHECK(lab.status().at("telemetry").is_null());
  lab.tell(collector.url, ", metrics: false");
  ::kill(lab.agent_pid(), SIGHUP);
  lab.until("the collector", [&] { return text_at(lab.collector_in_status(), "url") == collector.url; });
  CHECK(lab.stop_agent(SIGTERM) == 0);
  const auto read = collector.read();
  CHECK(of_name(read, "acme").attributes.at("cicd.pipeline.task.run.result") == "cancellation");
  CHECK(std::count_if(read.spans.begin(), read.spans.end(), [](const auto& span) { return span.parent.empty(); }) == 1);
  CHECK(read.metrics.empty());
}
