#include "live_server.hpp"

#include "agent/base/text.hpp"

namespace outpost::test {
namespace {

constexpr auto identity = "/api/v1/identity";

TEST_CASE("a signature is accepted up to fifteen minutes before and after the server's clock") {
  LiveServer server;
  Lab lab{server};
  const auto with_offset = [&](std::chrono::seconds offset) {
    server.on_server([=](sample::ControlServer& control) { control.set_clock_offset(offset); });
    return server.send(lab.remoteci, "GET", identity);
  };
  CHECK(with_offset(std::chrono::minutes{14}).status == 200);
  CHECK(with_offset(-std::chrono::minutes{14}).status == 200);
  for (const auto minutes : {16, -16}) {
    const auto late = with_offset(std::chrono::minutes{minutes});
    CHECK(late.status == 400);
    CHECK(late.message() == "HmacMechanism failed: signature is expired");
    const auto date = parse_http_date(late.headers.get("Date"));
    REQUIRE(date);
    CHECK(std::chrono::abs(*date - SystemClock{}.now()) > std::chrono::minutes{15});
  }
}

TEST_CASE("what a signature covers cannot be changed on the way") {
  LiveServer server;
  Lab lab{server};
  const auto good = server.prepared(lab.remoteci, "POST", "/api/v1/jobs?x=1", "{\"components\": []}");
  const auto invalid = [&](replay::WireRequest request) {
    const auto answer = server.raw(request).value();
    return answer.status == 400 && answer.message() == "HmacMechanism failed: signature is invalid";
  };
  CHECK_FALSE(invalid(good));
  auto other = good;
  other.body = "{\"components\": {}}";
  CHECK(invalid(other));
  other = good;
  other.target = "/api/v1/jobs?x=2";
  CHECK(invalid(other));
  other = good;
  other.headers.set("Host", "localhost:" + std::to_string(server.port()));
  CHECK(invalid(other));
  other = good;
  other.headers.set("Content-Type", "application/x-www-form-urlencoded");  // The original's form parser eats the body.
  CHECK(invalid(other));
}

TEST_CASE("all three scheme words are verified alike, with the region and service of the line") {
  LiveServer server;
  Lab lab{server};
  for (const std::string scheme : {"DCI2-HMAC-SHA256", "DCI-HMAC-SHA256", "AWS4-HMAC-SHA256"}) {
    auto request = server.prepared({}, "GET", "/api/v1/topics?where=name%3Alab&query=a+b");
    request.headers.set("X-DCI-Date", "19700101T000000Z");  // Not looked at: there is an x-amz-date.
    request.headers.set("X-Amz-Date", to_basic_utc(SystemClock{}.now()));
    const replay::SignedLine line{scheme, lab.remoteci.client, "20200102", "mars/tests/aws4_request", "x-amz-date;host",
                                  ""};
    const auto signature = replay::sign(line, {request.method, request.target, request.headers, request.body},
                                        lab.remoteci.secret, replay::QueryStyle::as_sent);
    request.headers.set("Authorization",
                        scheme + " Credential=" + lab.remoteci.client +
                            "/20200102/mars/tests/aws4_request, SignedHeaders=x-amz-date;host, Signature=" + signature);
    const auto answer = server.raw(request).value();
    INFO(scheme << answer.text);
    CHECK(answer.status == 200);
  }
}

TEST_CASE("a line of another shape breaks the original, an incomplete one is refused") {
  LiveServer server;
  Lab lab{server};
  const auto status = [&](const std::string& line, bool with_date = true) {
    auto request = server.prepared({}, "GET", identity);
    request.headers.set("Authorization", line);
    if (with_date) request.headers.set("X-DCI-Date", to_basic_utc(SystemClock{}.now()));
    return server.raw(request).value().status;
  };
  const auto credential = "Credential=" + lab.remoteci.client + "/20260101/BHS3/api/dci2_request,";
  CHECK(status("DCI2-HMAC-SHA256 " + credential + " SignedHeaders=host, Signature=0") == 400);
  CHECK(status("DCI2-HMAC-SHA256 " + credential + " SignedHeaders=host, Signature=0", false) == 400);
  CHECK(status("DCI2-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0") == 400);
  CHECK(status("DCI2-HMAC-SHA256  " + credential + " SignedHeaders=host, Signature=0") == 500);
  CHECK(status("DCI2-HMAC-SHA256 " + credential + "SignedHeaders=host,Signature=0") == 500);
  CHECK(status("DCI2-HMAC-SHA256 " + credential + " SignedHeaders=host;no-such-header, Signature=0") == 500);
  CHECK(status("Digest x") == 401);
  CHECK(status("Basic " + to_base64("admin:wrong")) == 401);
}

TEST_CASE("inactive clients do not exist, clients of inactive teams may not enter") {
  LiveServer server;
  Lab lab{server};
  const auto id = lab.remoteci.client.substr(9);
  const auto etag = [&](const std::string& target) {
    return std::string{server.send(lab.admin, "GET", target).headers.get("ETag")};
  };
  REQUIRE(server
              .send(lab.admin, "PUT", "/api/v1/remotecis/" + id, R"({"state": "inactive"})",
                    {{"If-Match", etag("/api/v1/remotecis/" + id)}})
              .status == 200);
  CHECK(server.send(lab.remoteci, "GET", identity).message() == "identity does not exists.");
  REQUIRE(server
              .send(lab.admin, "PUT", "/api/v1/teams/" + lab.team, R"({"state": "inactive"})",
                    {{"If-Match", etag("/api/v1/teams/" + lab.team)}})
              .status == 200);
  const auto refused = server.send(lab.feeder, "GET", identity);
  CHECK(refused.status == 412);
  CHECK(refused.message() == "team lab not active");
}

TEST_CASE("a new secret replaces the old one") {
  LiveServer server;
  Lab lab{server};
  const auto answer =
      server.send(lab.admin, "PUT", "/api/v1/remotecis/" + lab.remoteci.client.substr(9) + "/api_secret", "",
                  {{"If-Match", "anything"}});
  REQUIRE(answer.status == 200);
  CHECK(server.send(lab.remoteci, "GET", identity).status == 400);
  lab.remoteci.secret = text_of(answer.body.at("remoteci").at("api_secret"));
  CHECK(server.send(lab.remoteci, "GET", identity).status == 200);
}

TEST_CASE("no secret reaches the request log") {
  TemporaryDirectory directory;
  sample::ServerOptions options;
  options.request_log = directory.path / "log";
  LiveServer server{options};
  Lab lab{server};
  server.send(lab.remoteci, "GET", identity);
  const auto component = lab.add_component("c");
  const std::string location{
      server.send(lab.remoteci, "GET", "/api/v1/components/" + component + "/files/f").headers.get("Location")};
  const auto target = location.substr(location.find("/object-store"));
  server.send({}, "GET", target);
  const auto log = read_file(directory.path / "log");
  CHECK(log.find("\"target\":\"/api/v1/identity\"") != std::string::npos);
  CHECK(log.find(lab.remoteci.secret) == std::string::npos);
  CHECK(log.find(target.substr(target.size() - 64)) == std::string::npos);
}

}  // namespace
}  // namespace outpost::test
