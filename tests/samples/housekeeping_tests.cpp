#include "live_server.hpp"

namespace outpost::test {
namespace {

TEST_CASE("a purge removes what is archived, with all that belongs to it and its bytes") {
  const TemporaryDirectory directory;
  sample::ServerOptions options;
  options.data = directory.path;
  LiveServer server{std::move(options)};
  Lab lab{server};
  const auto kept = lab.add_job(), dropped = lab.add_job();
  const auto component = lab.add_component("gone");
  REQUIRE(lab.state(dropped, "running").status == 201);
  const auto file = text_of(lab.upload(dropped, "log", "bytes").body.at("file").at("id"));
  const auto bytes = directory.path / "objects/dci-files" / lab.team / dropped / file;
  REQUIRE(std::filesystem::exists(bytes));
  const auto remove = [&](const std::string& path) {
    const std::string etag{server.send(lab.admin, "GET", path).headers.get("ETag")};
    REQUIRE(server.send(lab.admin, "DELETE", path, "", {{"If-Match", etag}}).status == 204);
  };
  remove("/api/v1/jobs/" + dropped);
  remove("/api/v1/components/" + component);

  for (const auto* plural :
       {"jobs", "files", "components", "remotecis", "topics", "teams", "products", "users", "feeders"}) {
    CAPTURE(plural);
    const auto path = std::string{"/api/v1/"} + plural + "/purge";
    CHECK(server.send(lab.remoteci, "GET", path).status == 401);
    CHECK(server.send(lab.remoteci, "POST", path).status == 401);
    const auto list = server.send(lab.admin, "GET", path);
    REQUIRE(list.status == 200);
    const bool has_one = std::string_view{plural} == "jobs" || std::string_view{plural} == "files" ||
                         std::string_view{plural} == "components";
    CHECK(list.body.at("_meta").at("count").as_int64() == (has_one ? 1 : 0));
    CHECK(list.body.at(plural).as_array().size() == (has_one ? 1U : 0U));
  }
  CHECK(server.send(lab.admin, "GET", "/api/v1/pipelines/purge").status == 404);

  CHECK(server.send(lab.admin, "POST", "/api/v1/jobs/purge").status == 204);
  CHECK(server.send(lab.admin, "POST", "/api/v1/components/purge").status == 204);
  for (const auto* plural : {"jobs", "files", "components"})
    CHECK(
        server.send(lab.admin, "GET", std::string{"/api/v1/"} + plural + "/purge").body.at(plural).as_array().empty());
  CHECK_FALSE(std::filesystem::exists(bytes));
  CHECK(lab.job(kept).at("id") == kept.c_str());
}

TEST_CASE("a purge stops at what something else still points to") {
  LiveServer server;
  Lab lab{server};
  const auto first = lab.add_job();
  lab.add_job({{"previous_job_id", first}});
  const auto etag = text_of(lab.job(first).at("etag"));
  REQUIRE(server.send(lab.remoteci, "DELETE", "/api/v1/jobs/" + first, "", {{"If-Match", etag}}).status == 204);
  const auto refused = server.send(lab.admin, "POST", "/api/v1/jobs/purge");
  CHECK(refused.status == 409);
  CHECK(refused.message().starts_with("(psycopg2.errors.ForeignKeyViolation)"));
}

TEST_CASE("the counter of the mail worker is an administrator's, and a stale etag is a conflict") {
  LiveServer server;
  Lab lab{server};
  const std::string path = "/api/v1/jobs_events/sequence";
  CHECK(server.send(lab.remoteci, "GET", path).status == 401);
  const auto counter = server.send(lab.admin, "GET", path);
  REQUIRE(counter.status == 200);
  CHECK(counter.body.at("sequence").at("sequence").as_int64() == 0);
  const auto etag = text_of(counter.body.at("sequence").at("etag"));
  const auto put = [&](const std::string& tag, const std::string& body) {
    return server.send(lab.admin, "PUT", path, body, {{"If-Match", tag}});
  };
  CHECK(server.send(lab.admin, "PUT", path, R"({"sequence": 7})").status == 412);
  CHECK(put(etag, "{}").status == 400);
  CHECK(put(etag, R"({"sequence": 7})").status == 204);
  const auto stale = put(etag, R"({"sequence": 8})");
  CHECK(stale.status == 409);
  CHECK(stale.message() == "conflict on jobs_events \"sequence\" or etag not matched");
  CHECK(server.send(lab.admin, "GET", path).body.at("sequence").at("sequence").as_int64() == 7);
}

TEST_CASE("a user subscribes to the mails of a topic; a client cannot") {
  LiveServer server;
  Lab lab{server};
  const auto path = "/api/v1/topics/" + lab.topic + "/notifications";
  const auto mine = [&] { return server.send(lab.admin, "GET", "/api/v1/topics/notifications"); };
  CHECK(mine().body.at("_meta").at("count").as_int64() == 0);
  const auto subscribed = server.send(lab.admin, "POST", path);
  CHECK(subscribed.status == 201);
  CHECK(subscribed.body.at("topic_id") == lab.topic.c_str());
  CHECK(subscribed.body.at("user_id").is_string());
  CHECK(server.send(lab.admin, "POST", path).status == 409);
  CHECK(mine().body.at("topics").at(0).at("id") == lab.topic.c_str());
  CHECK(server.send(lab.admin, "GET", path + "/users").body.at("users").at(0).at("name") == "admin");
  CHECK(server.send(lab.remoteci, "GET", path + "/users").status == 401);
  CHECK(server.send(lab.remoteci, "POST", path).status == 409);
  CHECK(server.send(lab.admin, "DELETE", path).status == 204);
  CHECK(mine().body.at("topics").as_array().empty());
}

TEST_CASE("a list ignores a date of another form, and blanks around its conditions") {
  LiveServer server;
  Lab lab{server};
  lab.add_job({{"name", "nightly"}});
  const auto count = [&](const std::string& query) {
    const auto answer = server.send(lab.remoteci, "GET", "/api/v1/jobs?" + query);
    INFO(query << ": " << answer.text);
    REQUIRE(answer.status == 200);
    return answer.body.at("_meta").at("count").as_int64();
  };
  CHECK(count("created_after=2035-01-01T00:00:00.0") == 0);
  CHECK(count("created_after=2051222400000") == 0);
  for (const auto* other :
       {"yesterday", "2035-01-01", "2035-01-01T00:00:00", "2035-01-01T00:00:00.0Z", "99999999999999999"}) {
    CAPTURE(other);
    CHECK(count(std::string{"created_after="} + other) == 1);
  }
  CHECK(count("where=%20name%3Anightly%0A") == 1);
  CHECK(count("where=name%3Anight%09ly%2Cstate%3Aactive%20") == 1);
}

}  // namespace
}  // namespace outpost::test
