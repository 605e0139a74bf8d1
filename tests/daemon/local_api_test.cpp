#include "agent/control/api_client.hpp"
#include "agent/control/local_api.hpp"

#include "fakes/fake_agent.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"

#include <boost/json/parse.hpp>

using namespace outpost;
using test::FakeAgent;

namespace {

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

TEST_CASE("an archive of what waits is streamed, with a summary in front") {
  FakeAgent agent;
  FakeRequest request;
  request.method = "POST";
  request.path = "/api/v1/spool/export";
  request.query = "reporter=lab%204";
  const auto handler = control::local_api(agent);
  const auto response = test::await(handler(request));
  CHECK(response.status == 200);
  http::Response head;
  head.headers = response.headers;
  CHECK(control::spool_summary(head).value().at("items") == 7);
  const auto& next = std::get<http::Producer>(response.body);
  std::string archive;
  for (auto piece = test::await(next()); !piece->empty(); piece = test::await(next())) archive += *piece;
  CHECK(archive == "hello");

  CHECK(ask(agent, "GET", "/api/v1/spool/export").status == 405);
  CHECK(ask(agent, "POST", "/api/v1/spool/export").status == 400);
  CHECK(ask(agent, "POST", "/api/v1/spool/export", "limit=1").status == 400);
  CHECK(ask(agent, "POST", "/api/v1/spool/export", "reporter=b").status == 409);
  CHECK(ask(agent, "POST", "/api/v1/spool/export", "reporter=b").body.at("error").at("message") == "nothing waits for b");
}

TEST_CASE("a receipt is handed on") {
  FakeAgent agent;
  CHECK(ask(agent, "POST", "/api/v1/spool/confirm", "", "receipt").body.at("settled") == 3);
  CHECK(ask(agent, "POST", "/api/v1/spool/confirm", "", "other").status == 400);
  CHECK(ask(agent, "GET", "/api/v1/spool/confirm").status == 405);
}

TEST_CASE("what waits is looked at, tried now, and given up as it was wished") {
  FakeAgent agent;
  CHECK(ask(agent, "GET", "/api/v1/spool").body.at("spool").at("waiting") == 5);
  CHECK(ask(agent, "POST", "/api/v1/spool/flush", "", R"({"reporter": "dci"})").status == 202);
  CHECK(ask(agent, "POST", "/api/v1/spool/flush").body.at("flushed").at(0).at("name") == "");
  CHECK(ask(agent, "POST", "/api/v1/spool/flush", "", R"({"reporter": "nobody"})").status == 404);
  CHECK(ask(agent, "POST", "/api/v1/spool/prune").body.at("pruned").at("bytes") == 7);
  CHECK_FALSE(agent.pruning.waiting);
  CHECK(agent.pruning.older_than.count() == 0);
  CHECK(ask(agent, "POST", "/api/v1/spool/prune", "", R"({"waiting": true, "reporter": "dci", "older_than": 60, "dry_run": true})").status == 200);
  CHECK(agent.pruning.waiting);
  CHECK(agent.pruning.dry_run);
  CHECK(agent.pruning.reporter == "dci");
  CHECK(agent.pruning.older_than == std::chrono::minutes{1});
  CHECK(ask(agent, "POST", "/api/v1/spool/prune", "", R"({"older_than": -1})").status == 400);
  CHECK(ask(agent, "POST", "/api/v1/spool/prune", "", R"({"older_than": 9000000000000000000})").status == 400);
  CHECK(ask(agent, "POST", "/api/v1/spool/prune", "", R"({"waiting": true, "reporter": "nobody"})").status == 404);
  CHECK(ask(agent, "GET", "/api/v1/spool/prune").status == 405);
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

TEST_CASE("reporters are listed, and forgotten by their name") {
  FakeAgent agent;
  CHECK(ask(agent, "GET", "/api/v1/reporters").body.at("reporters").at(0).at("name") == "dci");
  CHECK(ask(agent, "POST", "/api/v1/reporters").status == 405);
  CHECK(ask(agent, "GET", "/api/v1/reporters/old/forget").status == 405);
  CHECK(ask(agent, "POST", "/api/v1/reporters/old/forget").status == 409);
  CHECK(ask(agent, "POST", "/api/v1/reporters/old/forget", "", "[]").status == 400);
  CHECK(ask(agent, "POST", "/api/v1/reporters/old/forget", "", R"({"drop_waiting": true})").body.at("reporter") == "old");
}

TEST_CASE("an alarm is acknowledged by its key") {
  FakeAgent agent;
  CHECK(ask(agent, "POST", "/api/v1/alarms/acknowledge", "", R"({"key": "dci/parked/x"})").status == 200);
  CHECK(ask(agent, "POST", "/api/v1/alarms/acknowledge", "", R"({"key": "y"})").status == 404);
  CHECK(ask(agent, "POST", "/api/v1/alarms/acknowledge").status == 400);
  CHECK(ask(agent, "GET", "/api/v1/alarms/acknowledge").status == 405);
}

TEST_CASE("parked items are listed and sent again") {
  FakeAgent agent;
  CHECK(ask(agent, "GET", "/api/v1/reporters/dci/parked").body.at("parked").at(0).at("key") == "x");
  CHECK(ask(agent, "GET", "/api/v1/reporters/other/parked").status == 404);
  const auto answer = ask(agent, "POST", "/api/v1/reporters/dci/retry", "", R"({"items": ["x"]})");
  CHECK(answer.status == 202);
  CHECK(answer.body.at("retried") == 3);
  CHECK(agent.retried == std::vector<std::string>{"x"});
  CHECK(ask(agent, "POST", "/api/v1/reporters/dci/retry").status == 202);
  CHECK(agent.retried.empty());
  CHECK(ask(agent, "POST", "/api/v1/reporters/dci/retry", "", "[1]").status == 400);
  CHECK(ask(agent, "POST", "/api/v1/reporters/other/retry").status == 404);
}

TEST_CASE("a job is run now, run again, held and released") {
  FakeAgent agent;
  const auto made = ask(agent, "POST", "/api/v1/jobs", "", R"({"name": "nightly"})");
  CHECK(made.status == 202);
  CHECK(made.body.at("job_id") == "new-1");
  CHECK(ask(agent, "POST", "/api/v1/jobs", "", R"({"name": "weekly"})").status == 404);
  CHECK(ask(agent, "POST", "/api/v1/jobs", "", R"({"name": "far"})").status == 504);
  CHECK(ask(agent, "POST", "/api/v1/jobs").status == 400);
  CHECK(ask(agent, "POST", "/api/v1/jobs/known/retry").body.at("job_id") == "new-2");
  CHECK(ask(agent, "POST", "/api/v1/jobs/unknown/retry").status == 404);
  CHECK(ask(agent, "POST", "/api/v1/jobs/known/hold", "", R"({"reason": "not yet"})").status == 200);
  CHECK(agent.held == "not yet");
  CHECK(ask(agent, "POST", "/api/v1/jobs/known/release").status == 200);
  CHECK(ask(agent, "POST", "/api/v1/jobs/ended/hold").status == 409);
  CHECK(ask(agent, "GET", "/api/v1/jobs/known/hold").status == 405);
}

TEST_CASE("who has asked for a change that was made is noted, and nothing else is") {
  FakeAgent agent;
  const auto handler = control::local_api(agent);
  const auto asked = [&](const char* method, const char* path, std::optional<std::uint32_t> uid) {
    FakeRequest request;
    request.method = method;
    request.path = path;
    request.peer_uid = uid;
    static_cast<void>(test::await(handler(request)));
  };
  asked("POST", "/api/v1/jobs/j1/cancel", 1000);
  asked("POST", "/api/v1/pause", std::nullopt);
  asked("POST", "/api/v1/jobs/ended/cancel", 0);  // Refused.
  asked("GET", "/api/v1/status", 0);
  asked("GET", "/api/v1/pause", 0);
  CHECK(agent.asked == std::vector<std::string>{"uid 1000 jobs/*/cancel j1", "page pause "});
}

TEST_CASE("a reload says what has changed, or what is wrong") {
  FakeAgent agent;
  CHECK(ask(agent, "POST", "/api/v1/reload").body.at("changed").at(0) == "slots");
  agent.polled = true;
  const auto refused = ask(agent, "POST", "/api/v1/reload");
  CHECK(refused.status == 422);
  CHECK(refused.body.at("error").at("problems").as_array().size() == 2);
  CHECK(ask(agent, "GET", "/api/v1/reload").status == 405);
}

TEST_CASE("claiming is paused, resumed and drained") {
  FakeAgent agent;
  const auto state = [](const Answer& given) { return std::string{given.body.at("claims").at("state").as_string()}; };
  CHECK(state(ask(agent, "POST", "/api/v1/pause", "", R"({"source": "dci", "reason": "!"})")) == "paused dci!");
  CHECK(state(ask(agent, "GET", "/api/v1/claims")) == "paused dci!");
  CHECK(state(ask(agent, "POST", "/api/v1/resume", "", R"({"resource": "x", "all": true})")) == "resumed xall");
  CHECK(state(ask(agent, "POST", "/api/v1/drain", "", R"({"reason": "switch"})")) == "draining switch");
  CHECK(ask(agent, "POST", "/api/v1/pause", "", R"({"source": "nobody"})").status == 404);
  CHECK(ask(agent, "POST", "/api/v1/pause", "", "[]").status == 400);
  CHECK(ask(agent, "GET", "/api/v1/drain").status == 405);
  CHECK(ask(agent, "POST", "/api/v1/claims").status == 405);
}
