// The double of a package builder against what is written down about the original, beyond the recorded exchanges.
#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "samples/dlrn-server/answers.hpp"
#include "samples/dlrn-server/api.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace outpost::sample_builder {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;
using outpost::test::holds;

struct Asked : http::ServerRequest {
  boost::asio::awaitable<Result<std::string>> read_some() override { co_return std::string{}; }
};

const std::string commit = "ab12" + std::string(36, '0'), other = "cd34" + std::string(36, '0'), distro = "ef56" + std::string(36, '0');

struct Double {
  outpost::test::TemporaryDirectory directory;
  Builder builder;
  Api::Options options;
  std::int64_t now = 1'795'213'159;

  explicit Double(bool components = true) : builder{{directory.path / "tree", "http://builder.example.org/tree", components}} {
    builder.now = [this] { return now; };
    options.users = {{"ciuser", "secret"}};
  }

  std::size_t add(const std::string& hash, const std::string& component, const std::string& extended = "", const std::string& status = "SUCCESS") {
    return builder.add({.commit = hash, .distro = distro, .extended = extended, .component = component, .project = "nova", .status = status, .built_at = now});
  }
  http::ServerResponse ask(const std::string& method, const std::string& target, const std::string& body = "", http::Headers headers = {}) {
    Asked request;
    request.method = method;
    request.query = target.substr(std::min(target.find('?') + 1, target.size()));
    if (target.find('?') == std::string::npos) request.query.clear();
    request.headers = std::move(headers);
    return Api{builder, options}.answer(request, target.substr(0, target.find('?')), body);
  }
  http::ServerResponse post(const std::string& path, const json::value& body) {
    return ask("POST", path, json::serialize(body), {{"Content-Type", "application/json"}, {"Authorization", "Basic " + to_base64("ciuser:secret")}});
  }
  int status(const std::string& target) { return ask("GET", target).status; }
  std::size_t rows(const std::string& target) { return json::parse(text(ask("GET", target))).as_array().size(); }
  static std::string text(const http::ServerResponse& response) { return std::get<std::string>(response.body); }
};

json::object item(const std::string& hash, const std::string& label) { return {{"commit_hash", hash}, {"distro_hash", distro}, {"promote_name", label}}; }

bool is_page(const http::ServerResponse& response) { return response.headers.get("Content-Type") == "text/html; charset=utf-8"; }

}  // namespace

TEST_CASE("the double checks a promotion in the original's order") {
  Double d;
  const auto index = d.add(commit, "compute");
  CHECK(d.post("/api/promote", {{"promote_name", "current"}}).status == 403);           // Before the hashes that are missing,
  CHECK(d.post("/api/promote", item(other, "consistent")).status == 403);               // and before a build that is unknown.
  CHECK(d.post("/api/promote", {{"commit_hash", commit}}).status == 400);
  CHECK(d.post("/api/promote", item(other, "../evil")).status == 400);                  // But a way out only after it.
  for (const std::string label : {"", ".", "..", "../evil", "/evil", "ab/x"}) {
    INFO(label);
    CHECK(d.post("/api/promote", item(commit, label)).status == 403);
  }
  for (const std::string label : {"a b", "a..b", "31", "x/../y"}) {
    INFO(label);
    CHECK(d.post("/api/promote", item(commit, label)).status == (label == "x/../y" ? 500 : 201));
  }
  CHECK_FALSE(is_page(d.post("/api/promote", item(commit, "x/../y"))));
  const auto nowhere = d.post("/api/promote", item(commit, "nowhere/x"));
  CHECK(nowhere.status == 500);
  CHECK(is_page(nowhere));
  CHECK(d.post("/api/promote", item(commit, "ab")).status == 500);  // A directory of builds.
  d.builder.purge(index);
  CHECK(d.post("/api/promote", item(commit, "../evil")).status == 410);
}

TEST_CASE("the double looks at a batch item by item, and moves all or none") {
  Double d;
  const auto purged = d.add(commit, "compute");
  d.add(other, "network");
  d.builder.purge(purged);
  CHECK(d.post("/api/promote-batch", json::array{item(commit, "tested"), item(distro, "tested")}).status == 410);
  CHECK(d.post("/api/promote-batch", json::array{item(distro, "tested"), item(commit, "tested")}).status == 400);
  CHECK(d.post("/api/promote-batch", json::array{item(distro, "tested"), item(other, "current")}).status == 403);  // Read before all else.
  CHECK(d.post("/api/promote-batch", json::object{}).status == 400);
  CHECK(d.post("/api/promote-batch", json::array{1}).status == 400);
  CHECK(d.post("/api/promote-batch", json::array{}).status == 500);
  CHECK(d.builder.promotions().empty());
}

TEST_CASE("a promotion's time is a float in its own answer and an integer in lists, to the eye as well") {
  Double d;
  d.add(commit, "compute");
  CHECK_THAT(Double::text(d.post("/api/promote", item(commit, "tested"))), holds("\"timestamp\":1795213159.0,\"user\":\"ciuser\"}\n"));
  CHECK_THAT(Double::text(d.ask("GET", "/api/promotions")), holds("\"timestamp\":1795213159,"));
}

TEST_CASE("the double reads parameters as the original does") {
  Double d;
  const auto build = d.add(commit, "compute");
  d.builder.set_consistent(build);
  CHECK(d.post("/api/promote", item(commit, "tested")).status == 201);

  SECTION("a JSON body wins over the query, whatever its charset; without one it is a page") {
    CHECK(json::parse(Double::text(d.ask("GET", "/api/promotions?promote_name=tested", R"({"promote_name":"none"})", {{"Content-Type", "application/json; charset=utf-8"}}))).as_array().empty());
    const auto nothing = d.ask("GET", "/api/promotions", "", {{"Content-Type", "application/json"}});
    CHECK(nothing.status == 400);
    CHECK(is_page(nothing));
    CHECK(d.ask("GET", "/api/health", "", {{"Content-Type", "application/json"}}).status == 200);
  }
  SECTION("of two values the first counts, a name without a value has a blank one, and what is unknown is nothing") {
    CHECK(d.rows("/api/promotions?promote_name=tested&promote_name=none&colour=red") == 1);
    CHECK(d.rows("/api/promotions?promote_name=") == 0);
    CHECK(d.status("/api/promotions?limit") == 400);
    CHECK(d.rows("/api/promotions?limit=0") == 0);
    CHECK(d.status("/api/promotions?offset=-1") == 400);
    CHECK(d.status("/api/promotions?commit_hash=" + commit) == 400);
  }
  SECTION("whole numbers may be floats, texts and truths, hashes only texts") {
    json::object vote{{"job_id", "j"}, {"success", 1}, {"url", 5}, {"timestamp", 1795213159.7}, {"commit_hash", commit}, {"distro_hash", distro}, {"notes", nullptr}};
    const auto cast = d.post("/api/report_result", vote);
    CHECK(cast.status == 201);
    CHECK_THAT(Double::text(cast), holds("\"notes\":null") && holds("\"timestamp\":1795213159,") && holds("\"url\":\"5\"") && holds("\"success\":true"));
    vote["timestamp"] = " 12 ";
    CHECK(d.post("/api/report_result", vote).status == 201);
    for (const auto& [key, wrong] : std::map<std::string, json::value>{{"timestamp", "1.5"}, {"success", ""}, {"commit_hash", 1}, {"job_id", 1}, {"timestamp ", nullptr}}) {
      auto bad = vote;
      bad[std::string{trim(key)}] = wrong;
      INFO(key);
      CHECK(d.post("/api/report_result", bad).status == 400);
    }
    CHECK(d.post("/api/report_result", json::array{1}).status == 400);
  }
  SECTION("an age before the calendar is a page of 500, and dates may lack zeros") {
    CHECK(is_page(d.ask("GET", "/api/last_tested_repo?max_age=99999999999999")));
    CHECK(d.status("/api/last_tested_repo?max_age=99999999999999") == 500);
    CHECK(d.status("/api/last_tested_repo?max_age=-1&success=maybe") == 400);
    CHECK(d.status("/api/metrics/builds?start_date=2026-1-2&end_date=2026-12-31") == 200);
    CHECK(d.status("/api/metrics/builds?start_date=2026-13-02&end_date=2026-12-31") == 400);
  }
}

TEST_CASE("where a job has no vote the double answers with any vote, of any component") {
  Double d;
  d.builder.set_consistent(d.add(commit, "compute"));
  d.builder.vote({.build = d.add(other, "network"), .aggregate = {}, .job_id = "first", .url = "u", .notes = "", .user = "ciuser", .success = true, .timestamp = d.now + 5});
  CHECK_THAT(Double::text(d.ask("GET", "/api/last_tested_repo?max_age=0&job_id=none&component=compute")), holds("\"component\":\"network\"") && holds("\"job_id\":\"first\""));
  CHECK_THAT(Double::text(d.ask("GET", "/api/last_tested_repo?max_age=0&component=compute")), holds("\"job_id\":\"consistent\""));
  CHECK(d.status("/api/last_tested_repo?max_age=0&sequential_mode=true&previous_job_id=none") == 400);
}

TEST_CASE("who signs in in one way is challenged in this way, everybody else in the first") {
  Double d;
  d.options.kerberos_first = d.options.protected_reads = true;
  d.options.ticket = [](const std::string& token) { return token == "d3JpdGVy" ? std::optional{Ticket{"writer", true, true}} : token == "cmVhZGVy" ? std::optional{Ticket{"reader", true, false}} : token == "bm9ib2R5" ? std::optional{Ticket{"nobody"}} : std::nullopt; };
  const auto as = [&](const std::string& method, const std::string& authorization) {
    return d.ask(method, "/api/health", "", authorization.empty() ? http::Headers{} : http::Headers{{"Authorization", authorization}});
  };
  CHECK(as("GET", "").headers.get("WWW-Authenticate") == "Negotiate realm=\"Authentication Required\"");
  CHECK(as("GET", "Negotiate AAAA").status == 401);
  CHECK(as("GET", "Basic AAAA").headers.get("WWW-Authenticate") == "Basic realm=\"Authentication Required\"");
  CHECK(as("POST", "basic " + to_base64("ciuser:secret")).status == 200);
  CHECK(as("POST", "Negotiate d3JpdGVy").status == 200);
  CHECK(as("GET", "Negotiate cmVhZGVy").status == 200);
  for (const auto& refused : {as("POST", "Negotiate cmVhZGVy"), as("GET", "Negotiate bm9ib2R5")}) {
    CHECK(refused.status == 403);
    CHECK(Double::text(refused) == "Unauthorized Access");
    CHECK(is_page(refused));
    CHECK(refused.headers.get("WWW-Authenticate") == "Negotiate realm=\"Authentication Required\"");
  }
  CHECK(d.status("/api/report.html") == 401);
  CHECK(d.status("/metrics") == 200);
  CHECK(d.status("/api/graphql?query={civote{id}}") == 200);  // Open always.
}

TEST_CASE("the double has the pages for people") {
  Double d;
  for (const std::string page : {"civotes.html", "civotes.html?offset=5", "civotes_agg.html", "report.html", "civotes_detail.html?ci_name=x", "civotes_detail.html?commit_hash=a&distro_hash=b", "civotes_agg_detail.html?ref_hash=a"}) {
    INFO(page);
    const auto answer = d.ask("GET", "/api/" + page);
    CHECK(answer.status == 200);
    CHECK(is_page(answer));
  }
  for (const std::string wrong : {"civotes.html?offset=x", "civotes_detail.html", "civotes_detail.html?commit_hash=a", "civotes_agg_detail.html"}) {
    INFO(wrong);
    const auto answer = d.ask("GET", "/api/" + wrong);
    CHECK(answer.status == 400);
    CHECK_FALSE(is_page(answer));
  }
  CHECK(d.status("/api/nothing.html") == 404);
  CHECK(d.ask("POST", "/metrics").status == 405);
  for (const char* read : {"/metrics", "/api/health", "/api/promotions"}) CHECK(d.ask("HEAD", read).status == 200);
  CHECK(d.ask("HEAD", "/api/promote").status == 405);
  CHECK(d.ask("DELETE", "/api/health").headers.get("Allow") == "GET, POST");
}

TEST_CASE("a failed package is built again, and what another builder has is taken over") {
  Double d;
  const auto recheck = [&](const std::string& package) { return d.post("/api/recheck_package", {{"package_name", package}}).status; };
  CHECK(recheck("nova") == 400);
  d.add(commit, "compute", "", "RETRY");
  CHECK(recheck("nova") == 400);
  d.add(other, "compute", "", "FAILED");
  CHECK(recheck("nova") == 201);
  CHECK(recheck("nova") == 400);  // Its row is gone.
  d.add(commit, "compute");
  CHECK(recheck("nova") == 409);

  const auto import = [&](const std::string& url) { return d.post("/api/remote/import", {{"repo_url", url}}); };
  CHECK(import("nonsense").status == 400);
  CHECK(import("http://other.example.org/ab/12/x").status == 500);
  CHECK_FALSE(is_page(import("http://other.example.org/ab/12/x")));
  Build remote{.commit = other, .distro = distro, .extended = {}, .component = "compute", .project = "glance", .built_at = d.now};
  d.builder.know_remote("http://other.example.org/glance", remote);
  d.builder.set_consistent(0);
  CHECK(import("http://other.example.org/glance").status == 201);
  CHECK(fs::read_symlink(d.directory.path / "tree/component/compute/current").filename() == remote.directory_name());
  CHECK(fs::read_symlink(d.directory.path / "tree/component/compute/consistent").filename() != remote.directory_name());
  remote.built_at -= 100;
  remote.commit = distro;
  d.builder.know_remote("http://other.example.org/older", remote);
  CHECK(import("http://other.example.org/older").status == 201);  // Silently nothing: a newer one is here.
  CHECK_FALSE(d.builder.find(distro, distro, ""));
}

TEST_CASE("the double answers what is asked for in GraphQL") {
  Double d;
  d.builder.set_consistent(d.add(commit, "compute"));
  d.add(other, "network", "", "FAILED");
  const auto ask = [&](const std::string& query) { return d.ask("GET", "/api/graphql?query=" + percent_encode(query)); };
  const auto rows = [&](const std::string& query, const std::string& list) { return json::parse(Double::text(ask(query))).at("data").at(list).as_array(); };

  CHECK(Double::text(ask("{ commits(status: \"SUCCESS\", limit: 1) { hash: commitHash component extendedHash __typename } }")) ==
        R"({"data":{"commits":[{"hash":")" + commit + R"(","component":"compute","extendedHash":null,"__typename":"Commit"}]}})");
  CHECK(rows("query Newest { commits { dtBuild } # all\n}", "commits").size() == 2);
  CHECK(rows("{ commits(offset: 1) { commitHash } }", "commits").size() == 1);
  CHECK(rows("{ civote(ciName: \"consistent\", ciVote: true) { id commitId timestamp user } }", "civote").at(0).at("commitId") == 1);
  CHECK(rows("{ packageStatus(status: \"FAILED\") { projectName firstFailureCommit lastSuccess } }", "packageStatus").at(0).at("firstFailureCommit").as_string() == other);

  for (const std::string aggregate : {"old", "new"})
    d.builder.vote({.build = std::nullopt, .aggregate = aggregate, .job_id = "j", .url = "u", .notes = "", .user = "ciuser", .success = true, .timestamp = aggregate == "new" ? 20 : 10});
  CHECK(rows("{ civoteAgg(lastRefHash: true) { refHash } }", "civoteAgg") == json::array{{{"refHash", "new"}}});
  CHECK(rows("{ civoteAgg(where: {timestamp: {gte: 10, lt: 20}}) { refHash } }", "civoteAgg") == json::array{{{"refHash", "old"}}});

  SECTION("by a body, with variables") {
    const json::object body{{"query", "query Q($c: String = \"network\", $l: Int!) { commits(component: $c, limit: $l) { commitHash } }"}, {"variables", {{"l", 5}}}};
    const auto answer = d.ask("POST", "/api/graphql", json::serialize(body), {{"Content-Type", "application/json"}});
    CHECK(Double::text(answer) == R"({"data":{"commits":[{"commitHash":")" + other + R"("}]}})");
  }
  SECTION("with fragments, and what is left out") {
    const std::string query = "query Q($more: Boolean = false) { ...Lists } fragment Lists on Query { commits(limit: 1) { ...Hash ... on Commit { component } "
                              "... @include(if: $more) { status } project: projectName @skip(if: true) } } fragment Hash on Commit { commitHash ... { id } }";
    const auto row = rows(query, "commits").at(0).as_object();
    CHECK(row.size() == 3);
    CHECK(row.at("commitHash").as_string() == other);
    CHECK(row.at("component").as_string() == "network");
    CHECK(row.contains("id"));
    const json::object body{{"query", query}, {"variables", {{"more", true}}}};
    const auto answer = d.ask("POST", "/api/graphql", json::serialize(body), {{"Content-Type", "application/json"}});
    CHECK_THAT(Double::text(answer), holds(R"("status":"FAILED")"));
    for (const std::string wrong : {"{ ...F }", "{ commits { id } } fragment F on Commit { id }", "{ commits { ...F } } fragment F on Commit { ...F }",
                                    "{ commits { ...F } } fragment F on CIVote { id }", "{ ... on Commit { id } }", "{ commits { ...F } } fragment F on Commit { foo }",
                                    "{ commits { id @upper } }", "{ commits { id @skip } }", "{ commits { ... } }", "fragment F on Commit { id }", "{ commits { id } } { commits { id } }"}) {
      INFO(wrong);
      CHECK(ask(wrong).status == 400);
    }
    // Each spreads the next twice.
    std::string bomb = "{ commits { ...F0 } }";
    for (int at = 0; at < 30; ++at) bomb += " fragment F" + std::to_string(at) + " on Commit { ...F" + std::to_string(at + 1) + " ...F" + std::to_string(at + 1) + " }";
    for (const std::string end : {"id", "id @skip(if: true)"}) CHECK(ask(bomb + " fragment F30 on Commit { " + end + " }").status == 400);
  }
  SECTION("what cannot be answered is told as a list of errors, with its place") {
    for (const std::string wrong : {"", "{", "{ }", "mutation { x }", "{ foo { id } }", "{ commits }", "{ commits { foo } }", "{ commits(projectFoo: \"x\") { id } }",
                                    "{ civote(commitId: \"text\") { id } }", "{ civoteAgg(where: {user: 1}) { id } }", "{ commits { id } } x"}) {
      INFO(wrong);
      const auto answer = ask(wrong);
      CHECK(answer.status == 400);
      CHECK_FALSE(json::parse(Double::text(answer)).at("errors").at(0).at("message").as_string().empty());
    }
    CHECK_THAT(Double::text(ask("{\n  commits { foo } }")), holds(R"("locations":[{"line":2,"column":13}])"));
    CHECK(d.ask("POST", "/api/graphql", "{", {{"Content-Type", "application/json"}}).status == 400);
    d.options.graphql = false;
    CHECK(ask("{ commits { id } }").status == 501);
  }
}

}  // namespace outpost::sample_builder
