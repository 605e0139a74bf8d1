#include "plugins/dci/reporter.hpp"

#include "agent/base/hash.hpp"
#include "plugins/dci/expand.hpp"
#include "plugins/dci/fake_server.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"

#include <set>

namespace outpost::dci {
namespace {

using outpost::test::await;
using outpost::test::TemporaryDirectory;
using outpost::test::write_file;
using pipeline::Delivered;
using pipeline::FixCredentials;
using pipeline::Outcome;
using pipeline::Parked;
using pipeline::Refs;
using pipeline::RetryAfter;
using test::FakeServer;
using test::page;
using test::refusal;
using test::Seen;

struct Fixture {
  explicit Fixture(std::optional<std::uint64_t> limit = {})
      : reporter{*Api::make(server.client, clock, test::lab, "https://dci.example.org"),
                 workers,
                 {"lab", limit, [this](const std::string&) { return directory.path; }}} {}

  Outcome send(const journal::Item& item, const Refs& refs = {}) { return await(reporter.send(item, refs)); }
  std::optional<std::string> find(const journal::Item& item, const Refs& refs = {}) {
    auto found = await(reporter.find(item, refs));
    REQUIRE(found);
    return *found;
  }

  journal::Item item(std::string_view kind, boost::json::object body) {
    journal::Item made;
    made.key = "job-1/" + std::string{kind};
    made.job_id = "job-1";
    made.kind = kind;
    made.body = std::move(body);
    made.body["job"] = job;
    return made;
  }
  journal::Item state(const std::string& status, const std::string& comment = "c") {
    return item(kind::state, {{"status", status}, {"comment", comment}});
  }
  journal::Item file(std::string_view kind, const std::string& name, const std::string& content,
                     const std::string& mime = "text/plain") {
    write_file(directory.path / "blob", content);
    auto made = item(kind, {{"name", name}, {"mime", mime}});
    made.blob = job::Blob{"blob", sha256_hex(content), content.size(), mime, "", {}};
    return made;
  }
  /// A piece of a log that begins at `offset` in the stream and in the file.
  journal::Item log(const std::string& before, const std::string& content) {
    write_file(directory.path / "blob", before + content);
    auto made = item(kind::log, {{"log", "install/acme/install.log"}, {"offset", before.size()}});
    made.blob =
        job::Blob{"blob", sha256_hex(content), content.size(), "text/plain", "", job::Blob::Range{before.size()}};
    made.needs = {"job-1/state/running"};
    return made;
  }

  TemporaryDirectory directory;
  FakeServer server;
  test::FixedClock clock;
  Workers workers{1};
  std::string job = server.add_job();
  DciReporter reporter;
};

template <class T>
T as(const Outcome& outcome) {
  REQUIRE(std::holds_alternative<T>(outcome));
  return std::get<T>(outcome);
}

/// Answers the first request for which `wanted` holds with `response`, after the server has acted.
void lose_one(FakeServer& server, std::function<bool(const Seen&)> wanted, Result<http::Response> response) {
  server.after = [wanted = std::move(wanted), response = std::move(response),
                  done = false](const Seen& seen) mutable -> std::optional<Result<http::Response>> {
    if (done || !wanted(seen)) return std::nullopt;
    done = true;
    return response;
  };
}

bool is_post(const Seen& seen) { return seen.method == "POST"; }
const Error reset{Fault::retry_later, "connection reset"};

TEST_CASE("a state is posted with its comment and remembered by the server's id") {
  Fixture f;
  const auto delivered = as<Delivered>(f.send(f.state("pre-run", "preparing")));
  CHECK(delivered.remote_ref == FakeServer::text(f.server.states.at(0), "id"));
  CHECK(FakeServer::text(f.server.states.at(0), "comment") == "preparing");
}

TEST_CASE("a state whose answer was lost is found, and not posted twice") {
  Fixture f;
  as<Delivered>(f.send(f.state("new")));
  lose_one(f.server, is_post, reset);
  as<RetryAfter>(f.send(f.state("running")));
  const auto found = f.find(f.state("running"));
  CHECK(found == FakeServer::text(f.server.states.at(1), "id"));
  CHECK_FALSE(f.find(f.state("running", "another comment")));
  CHECK_FALSE(f.find(f.state("post-run")));
}

TEST_CASE(
    "trap: any client may write states to any job, so a state that somebody else posted before ours is not taken for "
    "ours") {
  Fixture f;
  const auto first = as<Delivered>(f.send(f.state("new"))).remote_ref;
  CHECK_FALSE(f.find(f.state("new"), {{"job-1/state/earlier", first}}));
}

TEST_CASE("a state that was set aside does not make a job run again that has its verdict") {
  Fixture f;
  const auto verdict = as<Delivered>(f.send(f.state("killed"))).remote_ref;
  CHECK(f.find(f.state("running")) == verdict);
  CHECK_FALSE(f.find(f.state("killed", "another comment")));
}

TEST_CASE("states are found beyond the first page") {
  Fixture f;
  for (int i = 0; i < 230; ++i) as<Delivered>(f.send(f.state("running", std::to_string(i))));
  CHECK(f.find(f.state("running", "225")) == FakeServer::text(f.server.states.at(225), "id"));
}

TEST_CASE("trap: a failure that the server stored as an error is found again") {
  Fixture f;
  as<Delivered>(f.send(f.state("failure", "x")));
  CHECK(FakeServer::text(f.server.states.at(0), "status") == "error");
  CHECK(f.find(f.state("failure", "x")));
}

TEST_CASE("trap: an unknown or archived job is the end of its items, a malformed id never leaves this machine") {
  Fixture f;
  f.server.job(f.job)["state"] = "archived";
  auto lost = f.state("new");
  lost.body["job"] = FakeServer::id();
  CHECK(as<Parked>(f.send(lost)).reason.find("job not found") != std::string::npos);
  CHECK_FALSE(f.find(f.item(kind::tag, {{"tag", "x"}})));
  const auto requests = f.server.client.seen.size();
  lost.body["job"] = "not-a-uuid/../x";
  as<Parked>(f.send(lost));
  CHECK_FALSE(f.find(lost));
  CHECK(f.server.client.seen.size() == requests);
}

TEST_CASE("trap: a bad signature keeps the item, a 5xx or a page is tried again, a refusal parks it") {
  Fixture f;
  f.server.before = [](const Seen&) {
    return std::optional<Result<http::Response>>{refusal(400, "HmacMechanism failed: signature is invalid")};
  };
  as<FixCredentials>(f.send(f.state("new")));
  as<FixCredentials>(f.send(f.file(kind::artifact, "a", "content")));
  f.clock.time += std::chrono::minutes{20};
  f.server.before = [](const Seen&) {
    auto busy = page(503);
    busy.headers.set("Retry-After", "17");
    return std::optional<Result<http::Response>>{busy};
  };
  CHECK(as<RetryAfter>(f.send(f.state("new"))).wait == std::chrono::seconds{17});
  f.clock.time += std::chrono::seconds{17};
  f.server.before = [](const Seen&) { return std::optional<Result<http::Response>>{page(200, "Hotel")}; };
  as<RetryAfter>(f.send(f.state("new")));
  f.server.before = [](const Seen&) {
    return std::optional<Result<http::Response>>{
        refusal(400, "We are unable to create this resource. Please contact a DCI administrator.")};
  };
  CHECK(as<Parked>(f.send(f.state("new"))).reason.find("contact a DCI administrator") != std::string::npos);
}

TEST_CASE("a page of something in between neither parks an item nor counts as delivered") {
  Fixture f;
  for (const unsigned status : {400U, 409U, 412U}) {
    f.server.before = [status](const Seen&) { return std::optional<Result<http::Response>>{page(status, "Proxy")}; };
    CHECK(as<RetryAfter>(f.send(f.state("new"))).reason.find("Proxy") != std::string::npos);
    as<RetryAfter>(f.send(f.item(kind::value, {{"key", "steps"}, {"value", 1}})));
    as<RetryAfter>(f.send(f.file(kind::artifact, "a", "content")));
  }
}

TEST_CASE("trap: a key-value that is there already counts as delivered") {
  Fixture f;
  const auto item = f.item(kind::value, {{"key", "stage_install_seconds"}, {"value", 12.25}});
  lose_one(f.server, is_post, reset);
  as<RetryAfter>(f.send(item));
  CHECK(f.find(item));
  as<Delivered>(f.send(item));
  CHECK(f.server.values.size() == 1);
  CHECK_FALSE(f.find(f.item(kind::value, {{"key", "stage_install_seconds"}, {"value", 12.5}})));
}

TEST_CASE("a tag is added to those that are there") {
  Fixture f;
  f.server.job(f.job)["tags"] = boost::json::array{"a"};
  as<Delivered>(f.send(f.item(kind::tag, {{"tag", "b"}})));
  CHECK(boost::json::serialize(f.server.job(f.job)["tags"]) == R"(["a","b"])");
  CHECK(f.find(f.item(kind::tag, {{"tag", "b"}})));
  as<Delivered>(f.send(f.item(kind::tag, {{"tag", "b"}})));
  CHECK(boost::json::serialize(f.server.job(f.job)["tags"]) == R"(["a","b"])");
}

TEST_CASE("trap: a stale etag is a 404, and the tags are read again") {
  Fixture f;
  int conflicts = 2;
  f.server.after = [&](const Seen& seen) -> std::optional<Result<http::Response>> {
    // Somebody uploads a file between our GET and our PUT.
    if (seen.method == "GET" && conflicts-- > 0) {
      f.server.job(f.job)["etag"] = FakeServer::id();
      f.server.job(f.job)["tags"].get_array().emplace_back("theirs-" + std::to_string(conflicts));
    }
    return std::nullopt;
  };
  as<Delivered>(f.send(f.item(kind::tag, {{"tag", "ours"}})));
  CHECK(boost::json::serialize(f.server.job(f.job)["tags"]) == R"(["theirs-1","theirs-0","ours"])");
  conflicts = 1000;
  as<pipeline::Reread>(f.send(f.item(kind::tag, {{"tag", "more"}})));
}

TEST_CASE("a piece of a log goes to the state of its stage, named with its offset, streamed from its range") {
  Fixture f;
  const std::string running = FakeServer::id();
  const auto item = f.log("earlier output\n", "new output\n");
  as<Delivered>(f.send(item, {{"job-1/state/running", running}}));
  const auto& file = f.server.files.at(0);
  CHECK(FakeServer::text(file, "name") == "install/acme/install.log@000000000015");
  CHECK(FakeServer::text(file, "jobstate_id") == running);
  CHECK(FakeServer::text(file, "job_id") == f.job);
  CHECK(FakeServer::text(file, "mime") == "text/plain");
  CHECK(f.server.contents.at(FakeServer::text(file, "id")) == "new output\n");
  CHECK(f.find(item, {{"job-1/state/running", running}}) == FakeServer::text(file, "id"));
  CHECK_FALSE(f.find(item, {{"job-1/state/running", FakeServer::id()}}));
}

TEST_CASE("of tasks that are alike each is found in its own place") {
  Fixture f;
  const std::string running = FakeServer::id();
  const Refs refs{{"job-1/state/running", running}};
  std::vector<std::string> ids;
  for (unsigned number = 0; number < 3; ++number) {
    auto item = f.file(kind::task, "TASK [debug]", "ok: [localhost]\n", "application/x-ansible-output");
    item.needs = {"job-1/state/running"};
    item.body["alike"] = number;
    CHECK_FALSE(f.find(item, refs));
    lose_one(f.server, is_post, reset);
    as<RetryAfter>(f.send(item, refs));
    ids.push_back(FakeServer::text(f.server.files.back(), "id"));
    CHECK(f.find(item, refs) == ids.back());
    CHECK_FALSE(f.find(item, {{"job-1/state/running", FakeServer::id()}}));
  }
  CHECK(std::set<std::string>{ids.begin(), ids.end()}.size() == 3);
  CHECK(FakeServer::text(f.server.files.back(), "jobstate_id") == running);
}

TEST_CASE("the end of a log that said nothing more is no request") {
  Fixture f;
  as<Delivered>(f.send(f.log("all of it", "")));
  CHECK(f.server.client.seen.empty());
}

TEST_CASE("what stands in for bytes that were given up is sent under their name, and found again") {
  Fixture f;
  auto log = f.log("before", "many bytes"), artifact = f.file(kind::artifact, "dump.bin", "many bytes", "application/x-core");
  for (auto* item : {&log, &artifact}) {
    journal::give_up_bytes(*item, "spool-full");
    CHECK_FALSE(f.find(*item));
    as<Delivered>(f.send(*item));
    CHECK(f.find(*item));
  }
  const auto& names = f.server.client.seen;
  CHECK(std::any_of(names.begin(), names.end(), [](const auto& one) { return one.headers.get("DCI-NAME") == "install/acme/install.log@000000000006"; }));
  CHECK(std::any_of(names.begin(), names.end(), [](const auto& one) { return one.headers.get("DCI-NAME") == "dump.bin" && one.headers.get("DCI-MIME") == "text/plain"; }));
}

TEST_CASE("names go over the wire as Latin-1 and are found as UTF-8") {
  Fixture f;
  const auto item = f.file(kind::artifact, "naïve.txt", "x");
  as<Delivered>(f.send(item));
  CHECK(f.server.client.seen.at(0).headers.get("DCI-NAME") == "na\xEFve.txt");
  CHECK(f.find(item));
}

TEST_CASE("a file is found by name, size and type, whatever its name needs") {
  Fixture f;
  for (const std::string name : {"plain.log", "with, comma", "star*", "two words"}) {
    CAPTURE(name);
    const auto item = f.file(kind::artifact, name, "content");
    CHECK_FALSE(f.find(item));
    lose_one(f.server, is_post, reset);
    as<RetryAfter>(f.send(item));
    CHECK(f.find(item) == FakeServer::text(f.server.files.back(), "id"));
    CHECK_FALSE(f.find(f.file(kind::artifact, name, "longer content")));
    CHECK_FALSE(f.find(f.file(kind::artifact, name, "content", "image/png")));
  }
}

TEST_CASE("a name that the server refuses to look for is looked for among all files") {
  Fixture f;
  const auto item = f.file(kind::artifact, "odd:name", "content");
  as<Delivered>(f.send(item));
  f.server.before = [](const Seen& seen) -> std::optional<Result<http::Response>> {
    if (!seen.parameter("where").empty()) return refusal(400, "Request malformed");
    return std::nullopt;
  };
  CHECK(f.find(item) == FakeServer::text(f.server.files.back(), "id"));
}

TEST_CASE("trap: JUnit that the server could not compare answers 500 after storing, and is delivered") {
  Fixture f;
  const auto item = f.file(kind::result, "tests", "<testsuite/>", "application/junit");
  lose_one(f.server, is_post, page(500));
  const auto delivered = as<Delivered>(f.send(item));
  CHECK(delivered.remote_ref == FakeServer::text(f.server.files.at(0), "id"));
  CHECK(f.server.files.size() == 1);
  // Not stored: really an error of the server.
  f.server.before = [](const Seen& seen) -> std::optional<Result<http::Response>> {
    if (seen.method == "POST") return page(500);
    return std::nullopt;
  };
  as<RetryAfter>(f.send(f.file(kind::result, "other", "<testsuite/>", "application/junit")));
}

TEST_CASE("trap: JUnit stays after a 400, and is not sent again") {
  Fixture f;
  const auto delivered = as<Delivered>(f.send(f.file(kind::result, "tests", "broken <", "application/junit")));
  CHECK(delivered.remote_ref == FakeServer::text(f.server.files.at(0), "id"));
  f.server.before = [](const Seen& seen) -> std::optional<Result<http::Response>> {
    if (seen.method == "POST") return refusal(400, "Invalid XML: x");
    return std::nullopt;
  };
  as<Parked>(f.send(f.file(kind::result, "other", "broken <", "application/junit")));
}

TEST_CASE("results are not attached to a state, so that the job shows them") {
  Fixture f;
  as<Delivered>(f.send(f.file(kind::result, "tests", "<testsuite/>", "application/junit")));
  CHECK_FALSE(f.server.client.seen.at(0).headers.has("DCI-JOBSTATE-ID"));
  CHECK(f.server.client.seen.at(0).headers.get("Content-Type") == "application/junit");
  CHECK(f.server.client.seen.at(0).headers.get("DCI-MIME") == "application/junit");
}

TEST_CASE("a form type never becomes the content type of an upload") {
  Fixture f;
  as<Delivered>(f.send(f.file(kind::artifact, "a", "x=1", "application/x-www-form-urlencoded")));
  CHECK(f.server.client.seen.at(0).headers.get("Content-Type") == "application/octet-stream");
  CHECK(f.server.client.seen.at(0).headers.get("DCI-MIME") == "application/x-www-form-urlencoded");
}

TEST_CASE("a note is a small file of the job") {
  Fixture f;
  const auto item = f.item(kind::note, {{"name", "outpost/warning-1.txt"}, {"content", "power is still on\n"}});
  as<Delivered>(f.send(item));
  CHECK(f.server.contents.begin()->second == "power is still on\n");
  CHECK(f.find(item));
}

TEST_CASE("an artifact above the limit is parked with both sizes, and others of that size are not tried") {
  Fixture f;
  f.server.limit = 1000;
  const auto reason = as<Parked>(f.send(f.file(kind::artifact, "big.bin", std::string(3000, 'x')))).reason;
  CHECK(reason.find("3000 bytes") != std::string::npos);
  CHECK(reason.find("MAX_CONTENT_LENGTH_MB") != std::string::npos);
  const auto requests = f.server.client.seen.size();
  as<Parked>(f.send(f.file(kind::artifact, "bigger.bin", std::string(4000, 'x'))));
  CHECK(f.server.client.seen.size() == requests);
  as<Delivered>(f.send(f.file(kind::artifact, "small.bin", std::string(900, 'x'))));

  Fixture configured{1000};
  const auto said =
      as<Parked>(configured.send(configured.file(kind::artifact, "big.bin", std::string(3000, 'x')))).reason;
  CHECK(said.find("3000 bytes") != std::string::npos);
  CHECK(said.find("1000 bytes") != std::string::npos);
  CHECK(configured.server.client.seen.empty());
}

std::string joined(const FakeServer& server) {
  std::map<std::string, std::string> pieces;
  for (const auto& file : server.files)
    pieces[FakeServer::text(file, "name")] += server.contents.at(FakeServer::text(file, "id"));
  std::string whole;
  for (const auto& [name, content] : pieces) whole += content;
  return whole;
}

TEST_CASE("trap: a log above the limit is split, and its pieces in order are the log") {
  Fixture f;
  f.server.limit = 10'000;
  std::string content;
  for (int i = 0; content.size() < 70'000; ++i) content += "line " + std::to_string(i) + "\n";
  as<Delivered>(f.send(f.log("before", content)));
  CHECK(joined(f.server) == content);
  CHECK(f.server.files.size() > 6);
  CHECK(FakeServer::text(f.server.files.at(0), "name") == "install/acme/install.log@000000000006");
  for (const auto& file : f.server.files) CHECK(job::number_at(file, "size") <= 10'000);
  // What was learned is used for the next one: no more 413.
  const auto requests = f.server.client.seen.size();
  as<Delivered>(f.send(f.log(std::string(80'000, 'x'), std::string(9'000, 'y'))));
  CHECK(f.server.client.seen.size() <= requests + 3);

  Fixture configured{4'096};
  as<Delivered>(configured.send(configured.log("", content)));
  CHECK(joined(configured.server) == content);
  for (const auto& file : configured.server.files) CHECK(job::number_at(file, "size") <= 4'096);
}

TEST_CASE("trap: what is on its way for too long is made smaller when it is a log, and nothing else waits for it") {
  Fixture f;
  f.server.before = [&](const Seen& seen) -> std::optional<Result<http::Response>> {
    if (seen.body.size() <= 10'000) return std::nullopt;
    f.clock.time += std::chrono::minutes{16};
    return Result<http::Response>{refusal(400, "HmacMechanism failed: signature is expired")};
  };
  const auto reason = as<Parked>(f.send(f.file(kind::artifact, "big.bin", std::string(30'000, 'x')))).reason;
  CHECK(reason.find("took 16min") != std::string::npos);
  as<Delivered>(f.send(f.state("running")));
  std::string content;
  for (int i = 0; content.size() < 70'000; ++i) content += "line " + std::to_string(i) + "\n";
  as<Delivered>(f.send(f.log("", content)));
  CHECK(joined(f.server) == content);
}

TEST_CASE("a split that was interrupted goes on with what is missing") {
  Fixture f{4'096};
  std::string content;
  for (int i = 0; content.size() < 30'000; ++i) content += "line " + std::to_string(i) + "\n";
  int uploads = 0;
  f.server.after = [&](const Seen& seen) -> std::optional<Result<http::Response>> {
    if (seen.method == "POST" && ++uploads == 3) return Result<http::Response>{reset};
    return std::nullopt;
  };
  const auto item = f.log("", content);
  as<RetryAfter>(f.send(item));
  CHECK_FALSE(f.find(item));  // Three of eight pieces are not the log.
  as<Delivered>(f.send(item));
  CHECK(uploads == 8);
  CHECK(joined(f.server) == content);
  CHECK(f.find(item) == FakeServer::text(f.server.files.back(), "id"));
}

TEST_CASE("a server that refuses every size does not get endless attempts") {
  Fixture f;
  f.server.limit = 0;
  as<Parked>(f.send(f.log("", std::string(50'000, 'x'))));
  CHECK(f.server.client.seen.size() < 20);
}

TEST_CASE("a file that is gone, short or changed is parked, not taken for wrong credentials") {
  Fixture f;
  auto gone = f.file(kind::artifact, "a", "content");
  gone.blob->path = "nowhere";
  CHECK(as<Parked>(f.send(gone)).reason.find("nowhere") != std::string::npos);
  auto shorter = f.file(kind::artifact, "a", "content");
  write_file(f.directory.path / "blob", "con");
  as<Parked>(f.send(shorter));
  auto changed = f.file(kind::artifact, "a", "content");
  write_file(f.directory.path / "blob", "CONTENT");
  f.server.before = [](const Seen& seen) -> std::optional<Result<http::Response>> {
    if (seen.method == "POST") return refusal(400, "HmacMechanism failed: signature is invalid");
    return std::nullopt;
  };
  CHECK(as<Parked>(f.send(changed)).reason.find("changed on disk") != std::string::npos);
  auto outside = f.file(kind::artifact, "a", "content");
  outside.blob->path = "../blob";
  as<Parked>(f.send(outside));
}

TEST_CASE("a hash that nobody knows yet is computed before the upload") {
  Fixture f;
  auto item = f.file(kind::artifact, "a", "content");
  item.blob->sha256.clear();
  as<Delivered>(f.send(item));
  const auto& seen = f.server.client.seen.at(0);
  CHECK(
      seen.headers.get("Authorization") ==
      sign({"POST", "/api/v1/files", "dci.example.org", sha256_hex("content")}, test::lab, f.clock.time).authorization);
}

TEST_CASE("an item of a later version is parked, not lost") {
  Fixture f;
  as<Parked>(f.send(f.item("hologram", {})));
}

TEST_CASE("the reporter expands events of its own source only") {
  Fixture f;
  job::Event event;
  event.type = "claim.granted";
  event.job_id = "job-1";
  event.claim = job::Claim{"lab", f.job, ""};
  CHECK(f.reporter.expand(event, {}).size() == 1);
  event.claim->source = "other";
  CHECK(f.reporter.expand(event, {}).empty());
  CHECK(f.reporter.type() == "dci");
}

}  // namespace
}  // namespace outpost::dci
