// What a page reads of the local API, and who may read it.
#include "agent/control/guard.hpp"
#include "agent/control/local_api.hpp"
#include "agent/control/log_pages.hpp"
#include "agent/job/event_types.hpp"

#include "fakes/fake_agent.hpp"
#include "fakes/fake_journal.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/document.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <filesystem>

using namespace outpost;
using namespace outpost::test;
namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

struct Asked final : http::ServerRequest {
  std::string text;
  boost::asio::awaitable<Result<std::string>> read_some() override { co_return std::exchange(text, {}); }
};

struct TestClock final : Clock {
  std::chrono::nanoseconds boot{std::chrono::hours{1}};
  [[nodiscard]] Timestamp now() const override { return SystemClock{}.now(); }
  [[nodiscard]] std::chrono::nanoseconds since_boot() const override { return boot; }
};

/// The API of an agent with one job, "j1", and the loop that it runs on.
struct World {
  World() { fs::create_directories(directory.path / "j1/logs"); }

  http::ServerResponse ask(const std::string& target, http::Headers headers = {}, std::optional<std::uint32_t> uid = 0) {
    Asked request;
    request.method = "GET";
    const auto question = target.find('?');
    request.path = "/api/v1/" + target.substr(0, question);
    if (question != std::string::npos) request.query = target.substr(question + 1);
    request.headers = std::move(headers);
    request.peer_uid = uid;
    const auto handler = control::local_api(agent, &records);
    std::optional<http::ServerResponse> answer;
    boost::asio::co_spawn(loop, handler(request), [&](std::exception_ptr error, http::ServerResponse given) {
      if (error) std::rethrow_exception(error);
      answer = std::move(given);
    });
    turn([&] { return answer.has_value(); });
    return std::move(*answer);
  }
  json::value read(const std::string& target) { return json::parse(std::get<std::string>(ask(target).body)); }
  int status(const std::string& target) { return ask(target).status; }

  void turn(const std::function<bool()>& done) {
    loop.restart();
    while (!done()) loop.run_one_for(std::chrono::seconds{60});
  }
  std::string next(const http::ServerResponse& stream) {
    std::optional<Result<std::string>> piece;
    const auto& produce = std::get<http::Producer>(stream.body);
    boost::asio::co_spawn(loop, produce(), [&](std::exception_ptr, Result<std::string> given) { piece = std::move(given); });
    turn([&] { return piece.has_value(); });
    return **piece;
  }
  void note(std::string_view type, json::object data, std::vector<job::Blob> blobs = {}) {
    job::Event event;
    event.type = type;
    event.job_id = "j1";
    event.data = std::move(data);
    event.blobs = std::move(blobs);
    std::vector<job::Event> drafts{std::move(event)};
    bool written = false;
    boost::asio::co_spawn(loop, journal.append(std::move(drafts)), [&](std::exception_ptr, const Result<std::vector<job::Event>>&) { written = true; });
    turn([&] { return written; });
  }

  TemporaryDirectory directory;
  boost::asio::io_context loop;
  FakeJournal journal;
  FakeAgent agent;
  Workers workers;
  control::Records records{.agent = agent,
                           .journal = journal,
                           .deliveries = journal,
                           .workers = workers,
                           .streams = {journal, loop.get_executor(), {.queue = 5, .streams = 2}},
                           .jobs_directory = directory.path,
                           .plugins = [] { return [] { return json::array{json::object{{"name", "acme"}}}; }; },
                           .configuration = [] { return json::object{{"file", "outpost.yml"}}; },
                           .page = [] { return json::object{{"url", "http://127.0.0.1:1/"}, {"token", "t"}}; },
                           .doctor = [](std::chrono::seconds most_age) { return json::object{{"running", most_age.count() < 300}}; }};
};

std::string lines(int from, int upto) {
  std::string text;
  for (int number = from; number <= upto; ++number) text += "line " + std::to_string(number) + "\n";
  return text;
}

struct Guarded {
  TestClock clock;
  std::string token = std::string(64, 'a');
  bool on_tcp = true;
  http::Handler handler;

  explicit Guarded(bool tcp, bool actions = false) : on_tcp{tcp} {
    const auto inner = [](http::ServerRequest&) -> boost::asio::awaitable<http::ServerResponse> {
      http::ServerResponse response;
      response.body = std::string{"secret"};
      co_return response;
    };
    control::GuardOptions options{.is_refused = [](std::uint32_t uid) { return uid == 700; }, .token = tcp ? token : "", .clock = clock};
    if (actions) options.may_change = control::is_page_action;
    handler = control::guarded(inner, std::move(options));
  }

  http::ServerResponse ask(std::string path, http::Headers headers = {}, std::string method = "GET", std::string body = "", std::uint32_t uid = 0) {
    Asked request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.text = std::move(body);
    request.headers = std::move(headers);
    if (!request.headers.has("Host")) request.headers.set("Host", "127.0.0.1:8420");
    if (!on_tcp) request.peer_uid = uid;
    return await(handler(request));
  }
  http::ServerResponse log_in(const std::string& given) { return ask("/api/v1/login", {}, "POST", R"({"token": ")" + given + "\"}"); }
  std::string session() { return "Bearer " + std::string{json::parse(std::get<std::string>(log_in(token).body)).at("session").as_string()}; }
};

}  // namespace

// ---- logs ----

TEST_CASE("a log is read by byte, by line and from its end") {
  World world;
  write_file(world.directory.path / "j1/logs/s.log", lines(1, 2500) + "not whole");
  const auto page = world.read("jobs/j1/logs/s?lines=2").at("log");
  CHECK(page.at("lines").at(1).at("text") == "line 2");
  CHECK(world.read("jobs/j1/logs/s?lines=1&from=" + json::serialize(page.at("next"))).at("log").at("lines").at(0).at("text") == "line 3");
  CHECK(world.read("jobs/j1/logs/s?line=1").at("log").at("lines").at(0).at("text") == "line 1");
  CHECK(world.read("jobs/j1/logs/s?line=1234&lines=1").at("log").at("lines").at(0).at("text") == "line 1234");
  CHECK(world.read("jobs/j1/logs/s?line=9999").at("log").at("lines").as_array().size() == 1);  // What has no newline yet.
  const auto tail = world.read("jobs/j1/logs/s?tail=22").at("log").at("lines");
  CHECK(tail.at(0).at("text") == "line 2500");
  CHECK(tail.at(1).at("open") == true);
  CHECK(world.read("jobs/j1/logs/s?tail=100000").at("log").at("lines").at(0).at("text") == "line 1");
}

TEST_CASE("an index says where each thousandth line begins, and goes on where it ended") {
  World world;
  const fs::path file = world.directory.path / "j1/logs/s.log";
  write_file(file, lines(1, 2500));
  const auto index = world.read("jobs/j1/logs/s/index").at("index");
  CHECK(index.at("lines") == 2500);
  CHECK(index.at("complete") == true);
  const auto& offsets = index.at("offsets").as_array();
  REQUIRE(offsets.size() == 3);
  const std::string third = json::serialize(offsets.at(2));
  CHECK(world.read("jobs/j1/logs/s?lines=1&from=" + third).at("log").at("lines").at(0).at("text") == "line 2001");
  write_file(file, lines(1, 3100) + "open");
  const auto more = world.read("jobs/j1/logs/s/index?line=2000&from=" + third).at("index");
  CHECK(more.at("lines") == 3100);
  CHECK(more.at("offsets").as_array().size() == 2);
  CHECK(more.at("end").to_number<std::int64_t>() + 4 == more.at("size").to_number<std::int64_t>());
}

TEST_CASE("an index tells where errors are told of, and not where there are none") {
  World world;
  const fs::path file = world.directory.path / "j1/logs/s.log";
  const std::vector<std::string> bad{"ERROR: no such disk", "[error]", "Fatal!", "2 errors", "10 errors", "a failure", "Traceback (most recent call last):", "kernel panic - not syncing", "node1 : ok=2 failed=1", "failed: [node1]", "FAIL", "volume_test.py:118: AssertionError"};
  const std::vector<std::string> good{"fine", "0 errors", "no errors", "errors: 0", "node1 : ok=2 failed=0 ignored=1", "terror", "error_log is open", "failover", "errors=0", ""};
  std::string text, expected;
  for (std::size_t at = 0; at < bad.size(); ++at) {
    text += bad[at] + "\n" + (at < good.size() ? good[at] : "") + "\n";
    expected += (at ? "," : "") + std::to_string(2 * at);
  }
  write_file(file, text);
  CHECK(json::serialize(world.read("jobs/j1/logs/s/index").at("index").at("errors")) == "[" + expected + "]");
  text.clear();
  for (int number = 0; number < 2500; ++number) text += "error\n";
  write_file(file, text);
  const auto index = world.read("jobs/j1/logs/s/index").at("index");
  CHECK(index.at("errors").as_array().size() == 60);
  CHECK(index.at("errors").at(20) == 1000);
  const auto rest = world.read("jobs/j1/logs/s/index?line=2000&from=" + json::serialize(index.at("offsets").at(2))).at("index").at("errors").as_array();
  CHECK(rest.size() == 20);
  CHECK(rest.at(0) == 2000);
}

TEST_CASE("a search finds lines whatever their case, and says when there is more") {
  World world;
  write_file(world.directory.path / "j1/logs/s.log", "nothing\nan ERROR\nan Error too\nfine\n" + std::string(700'000, 'x') + " error\n");
  const auto found = world.read("jobs/j1/logs/s/search?q=error").at("search");
  CHECK(found.at("matches").as_array().size() == 3);
  CHECK(found.at("matches").at(0).at("line") == 1);
  CHECK(found.at("complete") == true);
  const auto first = world.read("jobs/j1/logs/s/search?q=error&limit=1").at("search");
  CHECK(first.at("complete") == false);
  CHECK(first.at("lines") == 2);
  CHECK(world.status("jobs/j1/logs/s/search") == 400);
}

TEST_CASE("plays and tasks can be folded, which Ansible names") {
  World world;
  const fs::path file = world.directory.path / "j1/logs/s.log";
  const std::string ansible = "PLAY [the lab] ****\n\nTASK [install : unpack [it] \xff] ****\nok: [node1]\nTASK [no end\nsays TASK [x] ***\nRUNNING HANDLER [restart] **\nPLAY RECAP ****\n";
  write_file(file, ansible);
  const auto found = world.read("jobs/j1/logs/s/sections").at("sections");
  CHECK(json::serialize(found.at("marks")) ==
        R"([{"line":0,"offset":0,"kind":"play","name":"the lab"},{"line":2,"offset":21,"kind":"task","name":"install : unpack [it] )" "\xEF\xBF\xBD" R"("},)"
        R"({"line":6,"offset":100,"kind":"task","name":"restart"},{"line":7,"offset":129,"kind":"play","name":"PLAY RECAP"}])");
  CHECK(found.at("lines") == 8);
  CHECK(found.at("complete") == true);
  write_file(file, ansible + "TASK [more] ***\n");
  const auto more = world.read("jobs/j1/logs/s/sections?line=8&from=" + json::serialize(found.at("end"))).at("sections");
  CHECK(more.at("marks").as_array().size() == 1);
  CHECK(more.at("marks").at(0).at("line") == 8);
  CHECK(world.status("jobs/j1/logs/s/sections?lines=2") == 400);
  CHECK(world.status("jobs/j1/logs/other/sections") == 404);
}

TEST_CASE("groups of a hook can be folded, and other lines of equals signs are none") {
  World world;
  write_file(world.directory.path / "j1/logs/s.log", "==== unpack it\nfile 1\n==== inner\n====\n=====\n==== \n ====\n====\n======= a title\n");
  std::string seen;
  const auto found = world.read("jobs/j1/logs/s/sections").at("sections").at("marks");
  for (const auto& mark : found.as_array())
    seen += std::string{mark.at("kind").as_string()} + json::serialize(mark.at("line")) + std::string{mark.at("name").as_string()} + " ";
  CHECK(seen == "group0unpack it group2inner end3 end7 ");
}

TEST_CASE("bytes that are no text, very long lines and missing logs are answered") {
  World world;
  write_file(world.directory.path / "j1/logs/s.log", "a\xff\xc3(\x1b[31m\n" + std::string(200'000, 'y') + "\n");
  const auto log = world.read("jobs/j1/logs/s").at("log");
  CHECK(log.at("lines").at(0).at("text") == "a\xEF\xBF\xBD\xEF\xBF\xBD(\x1b[31m");
  CHECK(log.at("lines").at(2).at("part") == true);
  CHECK(control::as_utf8("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
  CHECK(world.status("jobs/j1/logs/other") == 404);
  for (const char* query : {"?from=x", "?lines=0", "?lines=5001", "?line=0", "?from=1&line=2", "?other=1", "?from=-1"})
    CHECK(world.status("jobs/j1/logs/s" + std::string{query}) == 400);
}

TEST_CASE("no name of a job or step leaves the directory of jobs") {
  World world;
  write_file(world.directory.path / "secret.log", "secret\n");
  write_file(world.directory.path / "j1/secret.log", "secret\n");
  fs::create_directories(world.directory.path / "logs");
  write_file(world.directory.path / "logs/secret.log", "secret\n");
  for (const char* path : {"jobs/../logs/secret", "jobs/./logs/secret", "jobs//logs/secret", "jobs/j1/logs/..", "jobs/j1/logs/.", "jobs/j1/logs/", "jobs/../tests", "jobs/j1\\..\\..\\x/logs/s"})
    CHECK(world.status(path) == 404);
  fs::create_symlink("/etc/passwd", world.directory.path / "j1/logs/link.log");
  CHECK(world.status("jobs/j1/logs/link") == 404);
}

// ---- results, artifacts and the rest ----

TEST_CASE("files that steps have left are listed and sent as what no browser runs") {
  World world;
  write_file(world.directory.path / "j1/a.html", "<script>alert(1)</script>");
  fs::create_symlink("/etc/passwd", world.directory.path / "j1/link");
  world.note(job::event::job_queued, {});
  world.note(job::event::artifact_found, {{"name", "<b>a</b>.html"}, {"mime", "text/html"}}, {{.path = "a.html", .sha256 = "", .size = 25, .mime = "text/html", .codec = ""}});
  world.note(job::event::artifact_found, {{"name", "link"}}, {{.path = "link", .sha256 = "", .size = 5, .mime = "", .codec = ""}});
  world.note(job::event::artifact_found, {{"name", "up"}}, {{.path = "../secret", .sha256 = "", .size = 5, .mime = "", .codec = ""}});
  write_file(world.directory.path / "secret", "secret");
  const auto list = world.read("jobs/j1/artifacts").at("artifacts").as_array();
  REQUIRE(list.size() == 3);
  CHECK(list[0].at("name") == "<b>a</b>.html");
  const auto sent = world.ask("jobs/j1/artifacts/" + json::serialize(list[0].at("id")));
  CHECK(sent.status == 200);
  CHECK(sent.headers.get("Content-Type") == "application/octet-stream");
  CHECK(sent.headers.get("Content-Disposition") == "attachment");
  CHECK(std::get<http::FileRange>(sent.body).size == 25);
  CHECK(world.status("jobs/j1/artifacts/" + json::serialize(list[1].at("id"))) == 404);
  CHECK(world.status("jobs/j1/artifacts/" + json::serialize(list[2].at("id"))) == 404);
  CHECK(world.status("jobs/j1/artifacts/77") == 404);
  CHECK(world.status("jobs/j1/tests/" + json::serialize(list[0].at("id"))) == 404);
  CHECK(world.status("jobs/j2/artifacts") == 404);
}

TEST_CASE("plugins and the configuration are told, the token on the unix socket only") {
  World world;
  CHECK(world.read("plugins").at("plugins").at(0).at("name") == "acme");
  CHECK(world.read("configuration").at("configuration").at("file") == "outpost.yml");
  CHECK(world.read("dashboard").at("dashboard").at("token") == "t");
  CHECK(world.ask("dashboard", {}, std::nullopt).status == 403);
  CHECK(world.status("reporters/nobody/waiting") == 404);
}

TEST_CASE("what the doctor finds is told, and how old it may be is asked for") {
  World world;
  CHECK(world.read("doctor").at("doctor").at("running") == false);
  CHECK(world.read("doctor?max_age=10").at("doctor").at("running") == true);
  for (const char* query : {"?max_age=", "?max_age=x", "?max_age=-1", "?max_age=99999999999999999999", "?other=1"})
    CHECK(world.status("doctor" + std::string{query}) == 400);
}

TEST_CASE("what the steps of a job took is told, and nonsense in their files is not") {
  World world;
  CHECK(world.read("jobs/j1/usage").at("usage").at("steps").as_array().empty());
  fs::create_directories(world.directory.path / "j1/usage");
  write_file(world.directory.path / "j1/usage/test-b.txt", "2000 - 10 1 -\n");
  write_file(world.directory.path / "j1/usage/install-a.txt", "1000 500 4096 2 77\nnonsense\n1500 900 8192 -1 77\n3000 1000 -");
  const auto steps = world.read("jobs/j1/usage").at("usage").at("steps");
  CHECK(json::serialize(steps) == R"([{"step_id":"install-a","samples":[[1000,500,4096,2,77]]},{"step_id":"test-b","samples":[[2000,null,10,1,null]]}])");
  CHECK(world.status("jobs/j2/usage") == 404);
  CHECK(world.status("jobs/../usage") == 404);
}

// ---- events ----

TEST_CASE("a stream tells of every event, and of those that were missed") {
  World world;
  const auto stream = world.ask("stream");
  CHECK(stream.headers.get("Content-Type") == "text/event-stream");
  const std::string hello = world.next(stream);
  CHECK(hello.find("event: hello") != std::string::npos);
  world.note(job::event::stage_started, {{"stage", "install"}});
  const std::string told = world.next(stream);
  CHECK(told.find(R"("type":"stage.started")") != std::string::npos);
  CHECK(told.find(R"("stage":"install")") != std::string::npos);
  const std::string id = hello.substr(4, hello.find('\n') - 4);
  CHECK(world.next(world.ask("stream", {{"Last-Event-ID", id}})).find("stage.started") != std::string::npos);
  for (const char* other : {"another:1", "nonsense", ":"}) CHECK(world.next(world.ask("stream", {{"Last-Event-ID", other}})).find("event: reset") != std::string::npos);
}

TEST_CASE("a reader that is too slow is dropped, and one that missed too much begins anew") {
  World world;
  const auto stream = world.ask("stream");
  const std::string hello = world.next(stream);
  for (int count = 0; count < 6; ++count) world.note(job::event::stage_started, {});
  CHECK(world.next(stream).empty());
  const std::string id = hello.substr(4, hello.find('\n') - 4);
  CHECK(world.next(world.ask("stream", {{"Last-Event-ID", id}})).find("event: reset") != std::string::npos);
}

TEST_CASE("there are not more streams than may be") {
  World world;
  const auto first = world.ask("stream");
  {
    const auto second = world.ask("stream");
    CHECK(world.status("stream") == 503);
  }
  CHECK(world.status("stream") == 200);
}

// ---- who may ask ----

TEST_CASE("on TCP nothing is told without a session") {
  Guarded api{true};
  CHECK(api.ask("/api/v1/status").status == 401);
  CHECK(api.ask("/api/v1/status", {{"Authorization", "Bearer " + api.token}}).status == 401);
  CHECK(api.ask("/api/v1/status", {{"Authorization", "Bearer "}}).status == 401);
  CHECK(api.log_in("wrong").status == 401);
  const std::string session = api.session();
  const auto told = api.ask("/api/v1/status", {{"Authorization", session}});
  CHECK(told.status == 200);
  CHECK(std::string{told.headers.get("Content-Security-Policy")}.find("sandbox") != std::string::npos);
  CHECK_FALSE(told.headers.has("Access-Control-Allow-Origin"));
  CHECK_FALSE(told.headers.has("Set-Cookie"));
  CHECK(api.ask("/").status == 200);  // The page itself holds nothing.
}

TEST_CASE("on TCP nothing can be changed") {
  Guarded api{true};
  const std::string session = api.session();
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) CHECK(api.ask("/api/v1/pause", {{"Authorization", session}}, method).status == 403);
}

TEST_CASE("who guesses has to wait, and who is logged in goes on") {
  Guarded api{true};
  const std::string session = api.session();
  for (int count = 0; count < 10; ++count) CHECK(api.log_in("guess").status == 401);
  CHECK(api.log_in("guess").status == 429);
  CHECK(api.log_in(api.token).status == 429);
  CHECK(api.ask("/api/v1/status", {{"Authorization", session}}).status == 200);
  api.clock.boot += std::chrono::seconds{61};
  CHECK(api.log_in(api.token).status == 200);
  CHECK(api.ask("/api/v1/login").status == 405);
  CHECK(api.ask("/api/v1/login", {}, "POST", "[1]").status == 401);
  CHECK(api.ask("/api/v1/login", {}, "POST", std::string(5000, 'x')).status == 400);
}

TEST_CASE("a name that was made to point here is refused, on the unix socket too") {
  for (const bool tcp : {true, false}) {
    Guarded api{tcp};
    const http::Headers session = tcp ? http::Headers{{"Authorization", api.session()}} : http::Headers{};
    const auto with_host = [&](const char* host) {
      http::Headers headers = session;
      headers.set("Host", host);
      return api.ask("/api/v1/status", headers).status;
    };
    for (const char* host : {"evil.example", "evil.example:8420", "127.0.0.1.evil.example", "localhost.evil.example:8420", "10.0.0.1:8420", "[::2]:8420", ""}) CHECK(with_host(host) == 421);
    for (const char* host : {"localhost", "LOCALHOST:1", "127.0.0.1:8420", "[::1]:8420", "[::1]"}) CHECK(with_host(host) == 200);
  }
}

TEST_CASE("pages of other origins are refused") {
  Guarded api{false};
  CHECK(api.ask("/api/v1/pause", {{"Origin", "http://evil.example"}}, "POST").status == 403);
  CHECK(api.ask("/api/v1/pause", {{"Origin", "http://127.0.0.1:9"}}, "POST").status == 403);
  CHECK(api.ask("/api/v1/pause", {{"Origin", "null"}}, "POST").status == 403);
  CHECK(api.ask("/api/v1/status", {{"Sec-Fetch-Site", "cross-site"}}).status == 403);
  CHECK(api.ask("/api/v1/status", {{"Sec-Fetch-Site", "same-site"}}).status == 403);
  CHECK(api.ask("/api/v1/status", {{"Sec-Fetch-Site", "same-origin"}, {"Origin", "http://127.0.0.1:8420"}}).status == 200);
}

TEST_CASE("on TCP a page changes what it may, where the configuration says so, and nobody else does") {
  const http::Headers page{{"Origin", "http://127.0.0.1:8420"}, {"Content-Type", "application/json"}};
  const auto ask = [&](Guarded& api, const char* path, http::Headers headers, const char* method = "POST") {
    if (!headers.has("Authorization")) headers.set("Authorization", api.session());
    return api.ask(path, headers, method).status;
  };
  Guarded closed{true};
  CHECK(ask(closed, "/api/v1/pause", page) == 403);
  Guarded open{true, true};
  for (const char* path : {"/api/v1/pause", "/api/v1/resume", "/api/v1/drain", "/api/v1/poll", "/api/v1/jobs", "/api/v1/jobs/x/cancel", "/api/v1/jobs/x/retry", "/api/v1/jobs/x/hold",
                           "/api/v1/jobs/x/release", "/api/v1/spool/flush"})
    CHECK(ask(open, path, page) == 200);
  // What loses data or changes what the agent is.
  for (const char* path : {"/api/v1/reload", "/api/v1/spool/prune", "/api/v1/spool/confirm", "/api/v1/spool/export", "/api/v1/reporters/dci/forget", "/api/v1/alarms/acknowledge", "/api/v1/jobs/x/y/cancel", "/pause", "/"})
    CHECK(ask(open, path, page) == 403);
  for (const char* method : {"PUT", "DELETE", "PATCH", "OPTIONS"}) CHECK(ask(open, "/api/v1/pause", page, method) == 403);
  const auto with = [&](const char* name, const char* value) {
    http::Headers headers = page;
    headers.set(name, value);
    return ask(open, "/api/v1/pause", headers);
  };
  for (const char* origin : {"http://evil.example", "http://127.0.0.1:9", "https://127.0.0.1:8420", "http://localhost:8420", "null", ""}) CHECK(with("Origin", origin) == 403);
  for (const char* type : {"application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""}) CHECK(with("Content-Type", type) == 403);
  CHECK(with("Sec-Fetch-Site", "cross-site") == 403);
  CHECK(with("Authorization", "Bearer guess") == 401);
  CHECK(with("Host", "evil.example:8420") == 421);
  // A request that a link makes changes nothing, whatever it says.
  CHECK(ask(open, "/api/v1/pause", page, "GET") == 200);
}

TEST_CASE("users that jobs run as are refused on the unix socket") {
  Guarded api{false};
  CHECK(api.ask("/api/v1/status", {}, "GET", "", 700).status == 403);
  CHECK(api.ask("/", {}, "GET", "", 700).status == 403);
  CHECK(api.ask("/api/v1/pause", {}, "POST", "", 1000).status == 200);
}

// ---- the document ----

TEST_CASE("openapi.json has exactly the paths that there are") {
  const auto document = json::parse(text_of("agent/control/openapi.json"));
  std::set<std::string> listed, known{"POST /api/v1/login"};
  for (const auto& [path, methods] : document.at("paths").as_object())
    for (const auto& [method, what] : methods.as_object()) {
      listed.insert(to_upper(std::string{method}) + " " + std::regex_replace(std::string{path}, std::regex{"\\{[a-z]+\\}"}, "*"));
      CHECK(what.at("responses").as_object().size() == 2);
    }
  for (const auto& route : control::api_routes()) known.insert(route);
  CHECK(listed == known);
}

TEST_CASE("openapi.json says of a job what README.md says of it") {
  const auto document = json::parse(text_of("agent/control/openapi.json"));
  Words listed, described;
  for (const auto& member : document.at("components").at("schemas").at("Job").at("properties").as_object()) listed.emplace(member.key());
  const std::string readme = section(text_of("agent/control/README.md"), "## A job");
  for (const auto& row : rows(readme.substr(0, readme.find("`judgement`:")))) described.merge(quoted(row.front()));
  CHECK(described.contains("waits_for"));
  CHECK(listed == described);
}
