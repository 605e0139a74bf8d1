#include "live_server.hpp"

namespace outpost::test {
namespace {

TEST_CASE("an upload changes the job's etag, so that who read before gets 404") {
  LiveServer server;
  Lab lab{server};
  const auto job = lab.add_job();
  const auto before = text_of(lab.job(job).at("etag"));
  REQUIRE(lab.upload(job, "one", "1").status == 201);
  const auto middle = text_of(lab.job(job).at("etag"));
  REQUIRE(lab.upload(job, "two", "2").status == 201);
  CHECK(before != middle);
  const auto put = [&](const std::string& etag) {
    return server.send(lab.remoteci, "PUT", "/api/v1/jobs/" + job, R"({"tags": ["x"]})", {{"If-Match", etag}});
  };
  CHECK(put(before).status == 404);
  CHECK(put(middle).message() == "job not found");
  const auto current = text_of(lab.job(job).at("etag"));
  CHECK(put(current).status == 200);
  CHECK(put(current).status == 404);
  CHECK(server.send(lab.remoteci, "PUT", "/api/v1/jobs/" + job, "{}").status == 412);
}

TEST_CASE("a component that cannot be attached leaves the job behind without components") {
  LiveServer server;
  Lab lab{server}, other{server, "other"};
  const auto foreign =
      server.send(other.remoteci, "POST", "/api/v1/components",
                  json::serialize(json::object{
                      {"display_name", "x"}, {"type", "t"}, {"topic_id", other.topic}, {"team_id", other.team}}));
  REQUIRE(foreign.status == 201);
  const json::object body{
      {"topic_id", lab.topic}, {"components", {foreign.body.at("component").at("id")}}, {"name", "left behind"}};
  CHECK(server.send(lab.remoteci, "POST", "/api/v1/jobs", json::serialize(body)).status == 401);
  const auto list = server.send(lab.remoteci, "GET", "/api/v1/jobs?where=name%3Aleft%20behind");
  REQUIRE(list.body.at("_meta").at("count").as_int64() == 1);
  CHECK(list.body.at("jobs").at(0).at("components").as_array().empty());
}

TEST_CASE("scheduling takes the newest created component of each type, whatever its release date") {
  LiveServer server;
  Lab lab{server};
  lab.add_component("first", {{"released_at", "2030-01-01T00:00:00"}});
  const auto second = lab.add_component("second", {{"released_at", "2000-01-01T00:00:00"}});
  const auto answer = server.send(lab.remoteci, "POST", "/api/v1/jobs/schedule",
                                  json::serialize(json::object{{"topic_id", lab.topic}}));
  REQUIRE(answer.status == 201);
  CHECK_FALSE(answer.body.at("job").as_object().contains("components"));
  CHECK(answer.body.at("job").at("comment").is_null());
  const auto job = lab.job(text_of(answer.body.at("job").at("id")));
  CHECK(job.at("comment") == "");
  REQUIRE(job.at("components").as_array().size() == 1);
  CHECK(job.at("components").at(0).at("id") == second.c_str());
}

TEST_CASE("a team sees its own jobs only, yet may write to those of others") {
  LiveServer server;
  Lab lab{server}, other{server, "other"};
  const auto job = lab.add_job();
  CHECK(server.send(other.remoteci, "GET", "/api/v1/jobs/" + job).status == 404);
  CHECK(server.send(other.remoteci, "GET", "/api/v1/jobs/" + job + "/jobstates").status == 401);
  CHECK(other.state(job, "running").status == 201);
  const auto file = other.upload(job, "theirs", "x");
  CHECK(file.status == 201);
  CHECK(file.body.at("file").at("team_id") == lab.team.c_str());
  const auto id = text_of(file.body.at("file").at("id"));
  CHECK(server.send(other.remoteci, "GET", "/api/v1/files/" + id).status == 200);
  CHECK(server.send(other.remoteci, "GET", "/api/v1/files/" + id + "/content").status == 401);
}

TEST_CASE("a topic is closed to teams without its product, and before its release to most") {
  LiveServer server;
  Lab lab{server}, other{server, "other"};
  const auto schedule = [&] {
    return server
        .send(other.remoteci, "POST", "/api/v1/jobs/schedule", json::serialize(json::object{{"topic_id", lab.topic}}))
        .status;
  };
  CHECK(schedule() == 401);
  CHECK(server.send(other.remoteci, "GET", "/api/v1/topics?where=name%3Alab").body.at("_meta").at("count") == 0);
  const std::string etag{server.send(lab.admin, "GET", "/api/v1/topics/" + lab.topic).headers.get("ETag")};
  REQUIRE(
      server.send(lab.admin, "PUT", "/api/v1/topics/" + lab.topic, R"({"export_control": false})", {{"If-Match", etag}})
          .status == 200);
  CHECK(server.send(lab.remoteci, "GET", "/api/v1/topics/" + lab.topic).status == 401);
  CHECK(server.send(lab.remoteci, "GET", "/api/v1/topics?where=name%3Alab").body.at("_meta").at("count") == 0);
}

TEST_CASE(
    "a failure of a new job is stored as error in the states and as failure in the job, and killed is not final") {
  LiveServer server;
  Lab lab{server};
  const auto job = lab.add_job();
  CHECK(lab.state(job, "failure").body.at("jobstate").at("status") == "error");
  CHECK(lab.job(job).at("status") == "failure");
  const auto events = [&] {
    return server.send(lab.admin, "GET", "/api/v1/jobs_events/0").body.at("_meta").at("count").as_int64();
  };
  CHECK(events() == 1);
  CHECK(lab.state(job, "success").status == 201);
  CHECK(events() == 1);
  CHECK(lab.state(job, "running").status == 201);
  CHECK(lab.state(job, "killed").status == 201);
  CHECK(events() == 1);
  CHECK(lab.state(job, "success").status == 201);
  CHECK(events() == 2);
  CHECK(lab.state(job, "done").status == 400);
}

TEST_CASE("lists page, sort, select and refuse as the original's") {
  LiveServer server;
  Lab lab{server};
  for (int i = 0; i < 25; ++i)
    lab.add_component("c" + std::to_string(i),
                      {{"tags", {"n:" + std::to_string(i % 2)}}, {"version", std::to_string(i)}});
  const auto list = [&](const std::string& query) {
    return server.send(lab.remoteci, "GET", "/api/v1/topics/" + lab.topic + "/components?" + query);
  };
  const auto count = [&](const std::string& query) {
    const auto answer = list(query);
    INFO(query << ": " << answer.text);
    REQUIRE(answer.status == 200);
    return answer.body.at("_meta").at("count").as_int64();
  };
  CHECK(list("").body.at("components").as_array().size() == 20);
  CHECK(list("limit=1000&offset=0").body.at("components").as_array().size() == 25);
  CHECK(list("limit=10&offset=20").body.at("components").as_array().size() == 5);
  CHECK(list("sort=version&limit=1&offset=0").body.at("components").at(0).at("version") == "0");
  CHECK(count("where=tags%3An%3A1") == 12);
  CHECK(count("where=display_name%3AC2*") == 6);
  CHECK(count("where=display_name%3AC2") == 1);
  CHECK(count("where=team_id%3A") == 25);
  CHECK(count("query=or(eq(version%2C3)%2Ceq(version%2C4))") == 2);
  CHECK(count("query=and(contains(tags%2Cn%3A0)%2Cnot(eq(version%2C4)))") == 12);
  CHECK(count("query=not_contains(tags%2Cn%3A0)") == 12);
  CHECK(count("query=like(display_name%2Cc1%25)") == 11);
  CHECK(count("query=like(display_name%2CC1%25)") == 0);
  CHECK(count("query=ilike(display_name%2CC1%25)") == 11);
  CHECK(count("query=null(team_id)") == 25);
  CHECK(count("query=eq(version%2C3)%2Ceq(version%2C4)") == 1);
  CHECK(count("where=version%3A3&query=eq(version%2C4)") == 1);
  CHECK(count("created_after=4102444800000") == 0);
  CHECK(count("created_after=2025-01-01T00%3A00%3A00.0") == 25);
  CHECK(list("where=topic_id%3Anonsense").message().starts_with("(psycopg2.errors.InvalidTextRepresentation)"));
  CHECK(list("where=data%3Ax").status == 400);
  CHECK(list("query=eq(nothing%2Cx)").status == 400);
  CHECK(count("query=eq(state%2Cactive)") == 25);
  CHECK(list("query=eq(state%2Cgone)").message().starts_with("(psycopg2.errors.InvalidTextRepresentation)"));
  for (const auto* column : {"state", "released_at", "topic_id", "tags"})
    CHECK(list(std::string{"query=ilike("} + column + "%2Ca%25)")
              .message()
              .starts_with("(psycopg2.errors.UndefinedFunction)"));
  CHECK(list("query=eq(version)").status == 400);
  CHECK(list("offset=0").body.at("payload").at("error") == "'limit' is a required property");
}

TEST_CASE("duplicates of components are refused while one is active") {
  LiveServer server;
  Lab lab{server};
  const auto id = lab.add_component("same", {{"version", "1"}});
  const auto body = json::serialize(
      json::object{{"display_name", "same"}, {"version", "1"}, {"type", "COMPOSE"}, {"topic_id", lab.topic}});
  CHECK(server.send(lab.feeder, "POST", "/api/v1/components", body).status == 409);
  const std::string etag{server.send(lab.feeder, "GET", "/api/v1/components/" + id).headers.get("ETag")};
  CHECK(server.send(lab.feeder, "DELETE", "/api/v1/components/" + id, "", {{"If-Match", etag}}).status == 204);
  CHECK(server.send(lab.feeder, "GET", "/api/v1/components/" + id).status == 404);
  CHECK(server.send(lab.feeder, "POST", "/api/v1/components", body).status == 201);
}

TEST_CASE("bodies are checked as the original's validator does") {
  LiveServer server;
  Lab lab{server};
  const auto error = [&](const std::string& body) {
    const auto answer = server.send(lab.remoteci, "POST", "/api/v1/jobs", body);
    return answer.body.is_object() ? text_of(answer.body.at("payload").at("error"))
                                   : std::to_string(answer.status) + answer.text;
  };
  CHECK(error(R"({"components": {}})") == "components: {} is not of type 'array'");
  CHECK(error(R"({"components": [], "previous_job_id": 1})") == "1 is not of type 'string', 'null'");
  CHECK(error(R"({"components": [], "url": "ftp://x"})") == "'ftp://x' is not valid under any of the given schemas");
  CHECK(error(R"({"components": [], "state": "gone"})") == "'gone' is not one of ['active', 'inactive', 'archived']");
  CHECK(error(R"({"components": [], "a": 1, "b": "it's"})") ==
        "Additional properties are not allowed ('a', 'b' were unexpected)");
  CHECK(error(R"([])").starts_with("500"));
  CHECK(error("{\"a\": }").find("Expecting value: line 1 column 7 (char 6)") != std::string::npos);
  CHECK(error("{\"a\": 1} x").find("Extra data: line 1 column 10 (char 9)") != std::string::npos);
  CHECK(error("[1,\n2").find("Expecting &#39;,&#39; delimiter: line 2 column 2 (char 5)") != std::string::npos);
}

TEST_CASE("the limits of the web server in front hold before anything else") {
  LiveServer server;
  Lab lab{server};
  const auto long_line = server.send(lab.remoteci, "GET", "/api/v1/jobs?where=name%3A" + std::string(4100, 'x'));
  CHECK(long_line.status == 400);
  CHECK(long_line.headers.get("Content-Type") == "text/html");
  const auto with_field = [&](std::size_t size) {
    return server.send(lab.remoteci, "GET", "/api/v1/identity", "", {{"X-Long", std::string(size, 'x')}}).status;
  };
  CHECK(with_field(8000) == 200);
  CHECK(with_field(8200) == 431);
  CHECK(server
            .send(lab.remoteci, "POST", "/api/v1/jobs",
                  json::serialize(json::object{{"topic_id", lab.topic}, {"components", json::array{}}}),
                  {{"User-Agent", std::string(256, 'x')}})
            .message() == "We are unable to create this resource. Please contact a DCI administrator.");
}

}  // namespace
}  // namespace outpost::test
