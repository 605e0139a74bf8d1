#include "agent/control/local_api.hpp"

#include "support/await.hpp"
#include "support/catch.hpp"

#include <boost/json/parse.hpp>

using namespace outpost;

namespace {

struct FakeAgent final : control::AgentControl {
  std::string cancelled, reason;
  std::size_t limit = 0;
  bool polled = false;
  boost::json::object status() override { return {{"state", "idle"}}; }
  Result<boost::json::array> jobs(std::size_t wanted) override {
    limit = wanted;
    return boost::json::array{};
  }
  Result<boost::json::object> job(const std::string& id) override {
    if (id != "known") return Error{Fault::unavailable, "there is no job " + id};
    return boost::json::object{{"job_id", id}};
  }
  Result<void> cancel(const std::string& id, const std::string& why) override {
    if (id == "ended") return Error{Fault::refused, "job ended has ended: success"};
    cancelled = id;
    reason = why;
    return {};
  }
  void poll_now() override { polled = true; }
};

struct FakeRequest final : http::ServerRequest {
  std::string text;
  boost::asio::awaitable<Result<std::string>> read_some() override { co_return std::exchange(text, {}); }
};

struct Answer { int status; boost::json::value body; };

Answer ask(FakeAgent& agent, std::string method, std::string path, std::string query = "", std::string body = "") {
  FakeRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.query = std::move(query);
  request.text = std::move(body);
  const auto handler = control::local_api(agent);
  const auto response = test::await(handler(request));
  return {response.status, boost::json::parse(std::get<std::string>(response.body))};
}

}  // namespace

TEST_CASE("status, jobs and one job are read") {
  FakeAgent agent;
  CHECK(ask(agent, "GET", "/api/v1/status").body.at("state") == "idle");
  CHECK(ask(agent, "GET", "/api/v1/jobs", "limit=7").status == 200);
  CHECK(agent.limit == 7);
  CHECK(ask(agent, "GET", "/api/v1/jobs").status == 200);
  CHECK(agent.limit == 50);
  CHECK(ask(agent, "GET", "/api/v1/jobs/known").body.at("job").at("job_id") == "known");
}

TEST_CASE("what is wrong is said in JSON, with the status that fits") {
  FakeAgent agent;
  CHECK(ask(agent, "GET", "/").status == 404);
  CHECK(ask(agent, "GET", "/api/v2/status").status == 404);
  CHECK(ask(agent, "GET", "/api/v1/jobs/unknown").status == 404);
  CHECK(ask(agent, "GET", "/api/v1/jobs/unknown").body.at("error").at("message") == "there is no job unknown");
  CHECK(ask(agent, "DELETE", "/api/v1/status").status == 405);
  CHECK(ask(agent, "GET", "/api/v1/jobs/known/cancel").status == 405);
  for (const char* query : {"limit=0", "limit=1001", "limit=x", "limit=5x", "offset=1"}) CHECK(ask(agent, "GET", "/api/v1/jobs", query).status == 400);
}

TEST_CASE("a job is cancelled with a reason") {
  FakeAgent agent;
  CHECK(ask(agent, "POST", "/api/v1/jobs/known/cancel", "", R"({"reason": "lab needed"})").status == 202);
  CHECK(agent.cancelled == "known");
  CHECK(agent.reason == "lab needed");
  CHECK(ask(agent, "POST", "/api/v1/jobs/known/cancel").status == 202);
  CHECK(ask(agent, "POST", "/api/v1/jobs/ended/cancel").status == 409);
  CHECK(ask(agent, "POST", "/api/v1/jobs/known/cancel", "", "not json").status == 400);
  CHECK(ask(agent, "POST", "/api/v1/poll").status == 202);
  CHECK(agent.polled);
}
