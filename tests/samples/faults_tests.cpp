#include "live_server.hpp"

#include "samples/control-server/faults.hpp"

namespace outpost::test {
namespace {

using sample::Faults;

TEST_CASE("a rule strikes the requests it names") {
  auto faults =
      Faults::parse("POST /api/v1/files nth=2,4 status=503 retry-after=7\n# a comment\nGET /api/* after=1 times=2 drop")
          .value();
  const auto strikes = [&](const char* method, const char* path) { return faults.pick(method, path).has_value(); };
  CHECK_FALSE(strikes("POST", "/api/v1/files"));
  const auto second = faults.pick("POST", "/api/v1/files");
  REQUIRE(second);
  CHECK(second->status == 503);
  CHECK_FALSE(second->execute);
  CHECK(second->headers.get("Retry-After") == "7");
  CHECK_FALSE(strikes("POST", "/api/v1/files"));
  CHECK(strikes("POST", "/api/v1/files"));
  CHECK_FALSE(strikes("GET", "/api/v1/jobs"));
  CHECK(strikes("GET", "/api/v1/jobs"));
  CHECK(strikes("GET", "/api/v1/topics"));
  CHECK_FALSE(strikes("GET", "/api/v1/topics"));
  CHECK_FALSE(strikes("DELETE", "/api/v1/files"));
}

TEST_CASE("a probability with a seed strikes the same requests each time") {
  const auto pattern = [] {
    auto faults = Faults::parse(R"([{"probability": 0.5, "seed": 42, "drop": true}])").value();
    std::string strikes;
    for (int i = 0; i < 64; ++i) strikes += faults.pick("GET", "/") ? 'x' : '.';
    return strikes;
  };
  CHECK(pattern() == pattern());
  CHECK(pattern().find('x') != std::string::npos);
  CHECK(pattern().find('.') != std::string::npos);
}

TEST_CASE("a script that nobody meant is refused with what is wrong") {
  const auto complaint = [](const char* script) {
    const auto parsed = Faults::parse(script);
    return parsed ? std::string{"accepted"} : parsed.error().message;
  };
  CHECK(complaint(R"([{"statuz": 503}])").find("unknown key \"statuz\"") != std::string::npos);
  CHECK(complaint(R"([{"status": "busy"}])").find("status must be a number") != std::string::npos);
  CHECK(complaint(R"([{"nth": 0, "drop": true}])").find("nth must be a number from 1") != std::string::npos);
  CHECK(complaint("POST /api/v1/files").find("needs a method, a path and what to do") != std::string::npos);
  CHECK(complaint("[{").find("fault script") != std::string::npos);
  CHECK(complaint("[1]").find("a rule must be an object") != std::string::npos);
  CHECK(complaint("") == "accepted");
}

struct Faulty {
  Faulty() : lab{server}, job{lab.add_job()} {}
  void script(const std::string& text) {
    const auto answer = server.send(lab.admin, "PUT", "/_faults", text);
    INFO(answer.text);
    REQUIRE(answer.status == 200);
  }
  std::int64_t files() {
    return server.send(lab.remoteci, "GET", "/api/v1/jobs/" + job + "/files").body.at("_meta").at("count").as_int64();
  }
  Result<Answer> upload() {
    return server.raw(server.prepared(lab.remoteci, "POST", "/api/v1/files", "0123456789",
                                      {{"DCI-NAME", "f"}, {"DCI-JOB-ID", job}, {"Content-Type", "text/plain"}}));
  }

  LiveServer server;
  Lab lab;
  std::string job;
};

TEST_CASE("a request can be refused before or after it is carried out") {
  Faulty faulty;
  faulty.script("POST /api/v1/files times=1 status=503 retry-after=3 html");
  const auto busy = faulty.upload();
  REQUIRE(busy);
  CHECK(busy->status == 503);
  CHECK(busy->headers.get("Retry-After") == "3");
  CHECK(busy->headers.get("Content-Type") == "text/html");
  CHECK(faulty.files() == 0);
  faulty.script("POST /api/v1/files times=1 status=502 execute");
  CHECK(faulty.upload()->status == 502);
  CHECK(faulty.files() == 1);
  CHECK(faulty.upload()->status == 201);
}

TEST_CASE("an answer can be dropped with the request done or not") {
  Faulty faulty;
  faulty.script("POST /api/v1/files drop");
  CHECK_FALSE(faulty.upload());
  CHECK(faulty.files() == 0);
  faulty.script("POST /api/v1/files drop execute");
  CHECK_FALSE(faulty.upload());
  CHECK(faulty.files() == 1);
}

TEST_CASE("an answer can be cut, slowed and delayed") {
  Faulty faulty;
  faulty.script("GET /api/v1/identity truncate=10");
  const auto cut = faulty.server.send(faulty.lab.remoteci, "GET", "/api/v1/identity");
  CHECK_FALSE(cut.complete);
  CHECK(cut.text.size() == 10);
  faulty.script("GET /api/v1/identity bytes-per-second=20000 delay-before-ms=20 delay-after-ms=20");
  const auto start = std::chrono::steady_clock::now();
  const auto slow = faulty.server.send(faulty.lab.remoteci, "GET", "/api/v1/identity");
  CHECK(slow.complete);
  CHECK(slow.body.at("identity").is_object());
  CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds{40});
}

TEST_CASE("only an administrator changes the faults, which count what they did") {
  Faulty faulty;
  CHECK(faulty.server.send(faulty.lab.remoteci, "PUT", "/_faults", "[]").status == 401);
  faulty.script(R"([{"path": "/api/v1/identity", "status": 500, "times": 1}])");
  faulty.server.send(faulty.lab.remoteci, "GET", "/api/v1/identity");
  faulty.server.send(faulty.lab.remoteci, "GET", "/api/v1/identity");
  const auto report = faulty.server.send(faulty.lab.admin, "GET", "/_faults");
  CHECK(report.body.at("faults").at(0).at("seen") == 2);
  CHECK(report.body.at("faults").at(0).at("struck") == 1);
  CHECK(faulty.server.send(faulty.lab.admin, "PUT", "/_faults", "nonsense").status == 400);
  CHECK(faulty.server.send(faulty.lab.admin, "DELETE", "/_faults").body.at("faults").as_array().empty());
}

}  // namespace
}  // namespace outpost::test
