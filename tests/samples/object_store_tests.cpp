#include "live_server.hpp"

namespace outpost::test {
namespace {

/// A component with one object, and the presigned target of it.
struct Stored {
  explicit Stored(LiveServer& live) : server{live}, lab{live}, component{lab.add_component("c")} {
    const auto put = server.send(lab.feeder, "PUT", "/object-store/dci-components/" + component + "/a/b%20c.bin",
                                 content, {{"Content-Type", "application/x-thing"}});
    REQUIRE(put.status == 200);
  }
  std::string target(const std::string& method = "GET", const std::string& path = "a/b%20c.bin") {
    const auto answer = server.send(lab.remoteci, method, "/api/v1/components/" + component + "/files/" + path);
    INFO(answer.text);
    REQUIRE(answer.status == 302);
    const std::string location{answer.headers.get("Location")};
    REQUIRE(location.starts_with("http://" + server.host() + "/object-store/dci-components/"));
    return location.substr(location.find("/object-store"));
  }
  Answer get(const std::string& where, http::Headers headers = {}, const std::string& method = "GET") {
    headers.set("Host", server.host());
    return server.raw({method, where, std::move(headers), ""}).value();
  }

  LiveServer& server;
  Lab lab;
  std::string component;
  const std::string content = "0123456789";
};

TEST_CASE("a presigned URL gives the object, whole or in part") {
  LiveServer server;
  Stored stored{server};
  const auto target = stored.target();
  const auto whole = stored.get(target);
  CHECK(whole.status == 200);
  CHECK(whole.text == stored.content);
  CHECK(whole.headers.get("Content-Type") == "application/x-thing");
  const std::string etag{whole.headers.get("ETag")};
  const auto part = [&](const std::string& range, const std::string& if_range = "") {
    http::Headers headers{{"Range", range}};
    if (!if_range.empty()) headers.set("If-Range", if_range);
    const auto answer = stored.get(target, headers);
    return std::to_string(answer.status) + " " + (answer.status < 400 ? answer.text : "") + " " +
           std::string{answer.headers.get("Content-Range")};
  };
  CHECK(part("bytes=4-") == "206 456789 bytes 4-9/10");
  CHECK(part("bytes=2-3") == "206 23 bytes 2-3/10");
  CHECK(part("bytes=-3") == "206 789 bytes 7-9/10");
  CHECK(part("bytes=8-100") == "206 89 bytes 8-9/10");
  CHECK(part("bytes=10-") == "416  bytes */10");
  CHECK(part("bytes=4-", etag) == "206 456789 bytes 4-9/10");
  CHECK(part("bytes=4-", "\"another\"") == "200 0123456789 ");
  CHECK(part("lines=1-2") == "200 0123456789 ");
}

TEST_CASE("a presigned URL is good for its method, its object, its time and nobody's credentials") {
  LiveServer server;
  Stored stored{server};
  const auto target = stored.target();
  CHECK(stored.get(target, {}, "HEAD").status == 403);
  CHECK(stored.get(stored.target("HEAD"), {}, "HEAD").status == 200);
  auto other = target;
  other.replace(other.find("b%20c"), 5, "other");
  CHECK(stored.get(other).status == 403);
  CHECK(stored.get(target.substr(0, target.find('?'))).status == 403);
  const auto twice =
      stored.get(target, {{"Authorization", "DCI2-HMAC-SHA256 Credential=x, SignedHeaders=y, Signature=z"}});
  CHECK(twice.status == 400);
  CHECK(twice.text.find("Only one auth mechanism allowed") != std::string::npos);
  server.on_server([](sample::ControlServer& control) { control.set_clock_offset(std::chrono::seconds{601}); });
  const auto late = stored.get(target);
  CHECK(late.status == 403);
  CHECK(late.text.find("Request has expired") != std::string::npos);
}

TEST_CASE("whether an object exists is the store's answer, whether a path is one is the server's") {
  LiveServer server;
  Stored stored{server};
  const auto missing = stored.get(stored.target("GET", "nothing/here"));
  CHECK(missing.status == 404);
  CHECK(missing.headers.get("Content-Type") == "application/xml");
  for (const auto* path : {"a//b", "a/../b", "../x", "a/.", "a%2F..%2Fb"}) {
    const auto answer =
        server.send(stored.lab.remoteci, "GET", "/api/v1/components/" + stored.component + "/files/" + path);
    INFO(path);
    CHECK(answer.status == 400);
  }
  CHECK(server.send(stored.lab.feeder, "PUT", "/object-store/dci-components/../x", "y").status == 404);
  CHECK(server.send(stored.lab.remoteci, "PUT", "/object-store/dci-components/a/b", "y").status == 401);
  CHECK(server.send(stored.lab.feeder, "PUT", "/object-store/dci-files/a/b", "y").status == 404);
}

TEST_CASE("files of jobs are redirected to the store by the second API") {
  LiveServer server;
  Lab lab{server};
  const auto file = lab.upload(lab.add_job(), "log", "lines");
  const auto redirect =
      server.send(lab.remoteci, "GET", "/api/v2/files/" + text_of(file.body.at("file").at("id")) + "/content");
  REQUIRE(redirect.status == 302);
  const std::string location{redirect.headers.get("Location")};
  CHECK(server.raw({"GET", location.substr(location.find("/object-store")), {{"Host", server.host()}}, ""})
            .value()
            .text == "lines");
}

}  // namespace
}  // namespace outpost::test
