#include "plugins/junit/junit_collector.hpp"

#include "agent/base/hash.hpp"
#include "plugins/junit/mime.hpp"
#include "plugins/junit/workspace_files.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

using namespace outpost;
using namespace outpost::junit;
namespace fs = std::filesystem;

namespace {

const std::string good =
    "<testsuite name='s'><testcase name='t' time='2'/><testcase name='u'><failure/></testcase></testsuite>";

struct Bench {
  test::TemporaryDirectory state;
  boost::asio::io_context loop;
  Workers workers{1};
  CollectorLimits limits;
  pipeline::JobDirectory directory{state.path / "jobs" / "1"};
  pipeline::Step step;
  std::string step_id = "step-7";
  log::Redactor redactor;

  Bench() {
    fs::create_directories(directory.results(step_id));
    fs::create_directories(directory.artifacts(step_id));
    step.stage = job::Stage::test;
    step.plugin = "acme";
    step.hook = "test";
  }

  void result(const std::string& path, const std::string& content) const {
    test::write_file(directory.results(step_id) / path, content);
  }
  void artifact(const std::string& path, const std::string& content) const {
    test::write_file(directory.artifacts(step_id) / path, content);
  }

  pipeline::Collected collect() {
    JunitCollector collector{workers, limits};
    auto collected = test::await(loop, collector.collect(step, step_id, directory, redactor));
    REQUIRE(collected);
    return *collected;
  }
};

std::vector<std::string> names(const auto& found) {
  std::vector<std::string> all;
  for (const auto& one : found) all.push_back(one.name);
  return all;
}

bool warned(const pipeline::Collected& collected, const std::string& text) {
  return std::any_of(collected.warnings.begin(), collected.warnings.end(),
                     [&](const std::string& warning) { return warning.find(text) != std::string::npos; });
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a result has its counts, its blob and a stable name") {
  Bench bench;
  bench.result("unit.xml", good);
  const auto collected = bench.collect();
  REQUIRE(collected.results.size() == 1);
  const auto& result = collected.results[0];
  CHECK(result.name == "test/acme/unit");
  CHECK(result.well_formed);
  CHECK(result.total == 2);
  CHECK(result.success == 1);
  CHECK(result.failures == 1);
  CHECK(result.time_ms == 2000);
  CHECK(result.failed == Names{"s::u"});
  CHECK(result.blob.path == "steps/step-7/results/unit.xml");
  CHECK(result.blob.sha256 == sha256_hex(good));
  CHECK(result.blob.size == good.size());
  CHECK(result.blob.mime == "application/junit");
  CHECK(collected.warnings.empty());
  CHECK(collected.artifacts.empty());
}

TEST_CASE("results are found in directories, in the order of their names, each name once") {
  Bench bench;
  for (const char* path : {"b.xml", "a.xml", "sub/dir/c.xml", "sub/a.xml", "a.XML", "a.XML.xml", ".xml"})
    bench.result(path, good);
  const Names expected{"test/acme/.xml", "test/acme/a.XML", "test/acme/a.XML.xml", "test/acme/a",
                       "test/acme/b",    "test/acme/sub/a", "test/acme/sub/dir/c"};
  auto found = names(bench.collect().results);
  CHECK(found == names(bench.collect().results));
  std::sort(found.begin(), found.end());
  CHECK(std::adjacent_find(found.begin(), found.end()) == found.end());
  for (const char* name : {"test/acme/a", "test/acme/a.XML", "test/acme/b", "test/acme/sub/a", "test/acme/sub/dir/c"})
    CHECK(std::count(found.begin(), found.end(), name) == 1);
}

TEST_CASE("the files of a step become one result where its plugin says so") {
  Bench bench;
  bench.step.rules.merge = "unit";
  bench.result("a.xml", "<testsuites><testsuite name='a'><testcase name='t' time='2'/></testsuite></testsuites>");
  bench.result("sub/b.xml", good);
  bench.result("c.tap", "1..1\nok 1 - boots\n");
  const auto collected = bench.collect();
  REQUIRE(names(collected.results) == Names{"test/acme/unit"});
  const auto& result = collected.results[0];
  CHECK(result.well_formed);
  CHECK(result.total == 4);
  CHECK(result.success == 3);
  CHECK(result.failures == 1);
  CHECK(result.time_ms == 4000);
  CHECK(result.failed == Names{"s::u"});
  CHECK(result.blob.path == "steps/step-7/made/merged/unit.xml");
  CHECK(result.blob.mime == "application/junit");
  const auto content = test::read_file(bench.directory.root / result.blob.path);
  CHECK(result.blob.sha256 == sha256_hex(content));
  CHECK(result.blob.size == content.size());
  CHECK(content.find("name=\"a\"") < content.find("name=\"c\""));
  CHECK(content.find("name=\"c\"") < content.find("name=\"s\""));
  CHECK(names(collected.artifacts) == Names{"results/c.tap"});
  CHECK(collected.warnings.empty());
  CHECK(names(bench.collect().results) == Names{"test/acme/unit"});
}

TEST_CASE("one file alone is called as several would be, and is not written again") {
  Bench bench;
  bench.step.rules.merge = "unit";
  bench.result("TEST-acme.xml", good);
  const auto collected = bench.collect();
  REQUIRE(names(collected.results) == Names{"test/acme/unit"});
  CHECK(collected.results[0].blob.path == "steps/step-7/results/TEST-acme.xml");
  CHECK(collected.results[0].failed == Names{"s::u"});
}

TEST_CASE("what is broken or empty is not merged, and takes the name of what is from nobody") {
  Bench bench;
  bench.step.rules.merge = "unit";
  bench.step.hook = "test.d/10-smoke";
  bench.result("unit.xml", good.substr(0, good.size() - 20));
  bench.result("empty.xml", "");
  bench.result("named.xml", "<testsuite xmlns='urn:x'><testcase/></testsuite>");
  bench.result("x.xml", good);
  bench.result("y.xml", good);
  const auto collected = bench.collect();
  auto found = names(collected.results);
  std::sort(found.begin(), found.end());
  const std::string prefix = "test/acme/test.d/10-smoke/";
  CHECK(found == Names{prefix + "empty", prefix + "named", prefix + "unit", prefix + "unit.xml"});
  const auto merged = std::find_if(collected.results.begin(), collected.results.end(), [&](const auto& one) { return one.name == prefix + "unit"; });
  CHECK(merged->total == 4);
  CHECK(warned(collected, "unit.xml: broken XML"));
}

TEST_CASE("a step that left no results has none where they would be merged") {
  Bench bench;
  bench.step.rules.merge = "unit";
  bench.artifact("log.txt", "x");
  CHECK(bench.collect().results.empty());
}

TEST_CASE("attachments of files that are merged are kept") {
  Bench bench;
  bench.step.rules.merge = "unit";
  const std::string naming = "<testsuite name='s'><testcase name='t'><system-out>[[ATTACHMENT|shot.png]]</system-out></testcase></testsuite>";
  fs::create_directories(bench.directory.workspace());
  test::write_file(bench.directory.workspace() / "shot.png", "png");
  bench.result("a.xml", naming);
  bench.result("b.xml", good);
  const auto collected = bench.collect();
  CHECK(names(collected.results) == Names{"test/acme/unit"});
  CHECK(names(collected.artifacts) == Names{"attachments/shot.png"});
}

TEST_CASE("hooks of one stage that are several do not share names") {
  Bench bench;
  bench.result("unit.xml", good);
  bench.step.hook = "test.d/10-smoke";
  CHECK(names(bench.collect().results) == Names{"test/acme/test.d/10-smoke/unit"});
}

TEST_CASE("a broken result is a result that says so, an empty one has no tests") {
  Bench bench;
  bench.result("cut.xml", good.substr(0, good.size() - 20));
  bench.result("empty.xml", "");
  bench.result("garbage.xml", "core dumped");
  const auto collected = bench.collect();
  REQUIRE(names(collected.results) == Names{"test/acme/cut", "test/acme/empty", "test/acme/garbage"});
  CHECK_FALSE(collected.results[0].well_formed);
  CHECK_FALSE(collected.results[0].problem.empty());
  CHECK(collected.results[0].failures == 1);
  CHECK(collected.results[1].well_formed);
  CHECK(collected.results[1].total == 0);
  CHECK_FALSE(collected.results[2].well_formed);
  CHECK(warned(collected, "cut.xml: broken XML"));
}

TEST_CASE("other files among the results are kept as artifacts") {
  Bench bench;
  bench.result("coverage.xml", "<coverage/>");
  bench.result("sub/out.txt", "1..0");
  const auto collected = bench.collect();
  CHECK(collected.results.empty());
  CHECK(names(collected.artifacts) == Names{"results/coverage.xml", "results/sub/out.txt"});
  CHECK(collected.warnings == Names{"coverage.xml: its root is <coverage>, so it is not JUnit; kept as an artifact"});
  CHECK(collected.artifacts[0].blob.path == "steps/step-7/results/coverage.xml");
  CHECK(warned(collected, "<coverage>"));
}

TEST_CASE("a TAP file is a result as JUnit, and an artifact as it was") {
  Bench bench;
  const std::string tap = "1..2\nok 1 - a\nnot ok 2 - b\n";
  bench.result("sub/smoke.tap", tap);
  bench.result("sub/smoke.xml", good);
  bench.result("cut.TAP", "1..2\nok 1\n");
  const auto collected = bench.collect();
  REQUIRE(names(collected.results) == Names{"test/acme/cut.TAP", "test/acme/sub/smoke", "test/acme/sub/smoke.xml"});
  const auto& smoke = collected.results[1];
  CHECK(smoke.well_formed);
  CHECK(smoke.total == 2);
  CHECK(smoke.failed == Names{"smoke:smoke:b"});
  CHECK(smoke.blob.path == "steps/step-7/made/results/sub/smoke.tap.xml");
  CHECK(smoke.blob.mime == "application/junit");
  const auto made = test::read_file(bench.directory.root / smoke.blob.path);
  CHECK(smoke.blob.sha256 == sha256_hex(made));
  CHECK(smoke.blob.size == made.size());
  CHECK(collected.results[0].errors == 1);
  CHECK(names(collected.artifacts) == Names{"results/cut.TAP", "results/sub/smoke.tap"});
  CHECK(collected.artifacts[1].blob.sha256 == sha256_hex(tap));
  CHECK(names(bench.collect().results) == names(collected.results));  // Once more, by the agent after one that has died.
}

TEST_CASE("nothing that a step has put where the agent writes leads the agent astray") {
  Bench bench;
  bench.result("a.tap", "1..1\nok 1\n");
  const auto elsewhere = bench.state.path / "elsewhere";
  fs::create_directories(elsewhere);
  fs::create_directory_symlink(elsewhere, bench.directory.made(bench.step_id));
  CHECK(names(bench.collect().results) == Names{"test/acme/a"});
  CHECK(fs::is_empty(elsewhere));
  CHECK_FALSE(fs::is_symlink(bench.directory.made(bench.step_id)));
}

TEST_CASE("what tests name as attachments is kept, if it is the job's") {
  Bench bench;
  const auto& root = bench.directory;
  test::write_file(root.workspace() / "shots/login.png", "picture");
  test::write_file(root.shared() / "common.log", "log");
  test::write_file(root.results(bench.step_id) / "sub/beside.txt", "beside");
  test::write_file(root.logs() / "step.raw", "a secret");
  test::write_file(bench.state.path / "passwd", "root");
  fs::create_symlink(bench.state.path / "passwd", root.workspace() / "link");
  const auto named = [](const std::string& path) { return "[[ATTACHMENT|" + path + "]]\n"; };
  bench.result("sub/unit.xml", "<testsuite><testcase><system-out>" + named((root.workspace() / "shots/login.png").string()) + named("shots/login.png") +
                                   named((root.shared() / "common.log").string()) + named("beside.txt") + named("missing.png") + named("link") +
                                   named((root.logs() / "step.raw").string()) + named("/etc/passwd") + named("../logs/step.raw") +
                                   named((root.workspace() / "../../../passwd").string()) + "</system-out></testcase></testsuite>");
  const auto collected = bench.collect();
  CHECK(names(collected.artifacts) == Names{"results/sub/beside.txt", "attachments/shots/login.png", "attachments/shared/common.log"});
  CHECK(collected.artifacts[1].blob.path == "steps/step-7/made/attachments/shots/login.png");
  CHECK(collected.artifacts[1].blob.mime == "image/png");
  fs::remove_all(root.workspace());  // As at the end of the job.
  CHECK(test::read_file(root.root / collected.artifacts[1].blob.path) == "picture");
  CHECK(collected.warnings.size() == 6);
  CHECK(warned(collected, "sub/unit.xml: attachment missing.png left out"));
  CHECK(warned(collected, "attachment /etc/passwd left out: not in a directory of the job"));
  CHECK(warned(collected, "attachment link left out"));
  CHECK(warned(collected, "step.raw left out: not in a directory of the job"));
}

TEST_CASE("an attachment above the limit is left out with a warning") {
  Bench bench;
  bench.limits.artifact_bytes = 200;
  test::write_file(bench.directory.workspace() / "dump", std::string(201, 'x'));
  bench.result("unit.xml", "<testsuite><testcase><system-out>[[ATTACHMENT|dump]]</system-out></testcase></testsuite>");
  const auto collected = bench.collect();
  CHECK(collected.artifacts.empty());
  CHECK(warned(collected, "attachment dump left out: above the limit of 200 bytes"));
  CHECK_FALSE(fs::exists(bench.directory.made(bench.step_id) / "attachments/dump"));
}

TEST_CASE("results are compared with those of the same names, where these are still there") {
  Bench bench;
  for (const char* name : {"a.xml", "b.xml", "c.xml"}) bench.result(name, good);
  const auto before = bench.state.path / "jobs" / "0";
  test::write_file(before / "a", "<testsuite name='s'><testcase name='t'><failure/></testcase><testcase name='u'/></testsuite>");
  JunitCollector collector{bench.workers, bench.limits};
  const auto compared = test::await(bench.loop, collector.compare(bench.collect().results, bench.directory, {"0", before, {{"test/acme/a", "a"}, {"test/acme/b", "gone"}}}));
  REQUIRE(compared.size() == 3);
  REQUIRE(compared[0].comparison);
  CHECK(compared[0].comparison->regressed == Names{"s::u"});
  CHECK(compared[0].comparison->fixed == Names{"s::t"});
  CHECK_FALSE(compared[1].comparison);
  CHECK_FALSE(compared[2].comparison);
}

TEST_CASE("artifacts keep their paths and get a type by their name") {
  Bench bench;
  bench.artifact("logs/install.log", "line\n");
  bench.artifact("dump.tar.gz", "x");
  bench.artifact("result.xml", good);
  const auto collected = bench.collect();
  CHECK(collected.results.empty());
  REQUIRE(names(collected.artifacts) == Names{"dump.tar.gz", "logs/install.log", "result.xml"});
  CHECK(collected.artifacts[0].blob.mime == "application/x-gzip");
  CHECK(collected.artifacts[1].blob.path == "steps/step-7/artifacts/logs/install.log");
  CHECK(collected.artifacts[1].blob.sha256 == sha256_hex("line\n"));
  CHECK(collected.artifacts[1].blob.size == 5);
  CHECK(collected.artifacts[2].blob.mime == "application/xml");
}

TEST_CASE("types follow the conventions of the control server's users") {
  for (const char* text : {"a.log", "a.txt", "a.yaml", "a.yml", "a.html", "a.trace", "a.pcap", "A.LOG", "d.json/x.log"})
    CHECK(mime_of(text) == "text/plain");
  CHECK(mime_of("must-gather.tar.gz") == "application/x-gzip");
  CHECK(mime_of("dci-extra.nodes.json") == "application/dci-analytics+json");
  CHECK(mime_of("sub/dci-extra.json") == "application/dci-analytics+json");
  CHECK(mime_of("dci-extra/other.json") == "application/json");
  CHECK(mime_of("claim.json") == "application/json");
  CHECK(mime_of("sosreport.tar.xz") == "application/x-xz");
  for (const char* unknown : {"core", "a.bin", "", ".log", "log"})
    CHECK(mime_of(unknown) == "application/octet-stream");
}

TEST_CASE("links, fifos, sockets and strange names are left out and named, and nothing blocks") {
  Bench bench;
  test::write_file(bench.state.path / "secret", "<testsuite/>");
  const fs::path results = bench.directory.results(bench.step_id), artifacts = bench.directory.artifacts(bench.step_id);
  fs::create_symlink(bench.state.path / "secret", results / "link.xml");
  fs::create_directory_symlink(bench.state.path, artifacts / "all");
  REQUIRE(::mkfifo((results / "fifo.xml").c_str(), 0600) == 0);
  REQUIRE(::mkfifo((artifacts / "fifo").c_str(), 0600) == 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = (artifacts / "s").string();
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  const bool fits = path.size() < sizeof address.sun_path;
  if (fits) path.copy(address.sun_path, path.size());
  const bool bound = fits && ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  bench.artifact("not-utf8-\xff", "x");
  bench.artifact("line\nbreak", "x");
  bench.artifact("umlaut-\xC3\xBC", "x");
  const auto collected = bench.collect();
  ::close(listener);
  CHECK(collected.results.empty());
  CHECK(names(collected.artifacts) == Names{"umlaut-\xC3\xBC"});
  CHECK(warned(collected, "link.xml: left out, a symbolic link"));
  CHECK(warned(collected, "all: left out, a symbolic link"));
  CHECK(warned(collected, "fifo.xml: left out, a fifo"));
  CHECK(warned(collected, "artifacts/fifo: left out, a fifo"));
  if (bound) CHECK(warned(collected, "left out, a socket"));
  CHECK(warned(collected, "not UTF-8"));
  CHECK(warned(collected, "line\\nbreak"));
  for (const std::string& warning : collected.warnings) CHECK(warning.find('\n') == std::string::npos);
}

TEST_CASE("limits on number and size leave files out with a warning") {
  Bench bench;
  bench.limits.results = 2;
  bench.limits.artifact_bytes = 10;
  bench.limits.junit.bytes = 300;
  for (const char* path : {"a.xml", "b.xml", "c.xml"}) bench.result(path, good);
  bench.result("b.xml", good + std::string(300, ' '));
  bench.artifact("big", std::string(11, 'x'));
  bench.artifact("small", "x");
  const auto collected = bench.collect();
  REQUIRE(names(collected.results).size() == 2);
  CHECK(warned(collected, "more than 2 files"));
  CHECK(names(collected.artifacts) == Names{"small"});
  CHECK(warned(collected, "11 bytes, above the limit of 10 bytes"));
  const auto large = std::find_if(collected.results.begin(), collected.results.end(),
                                  [](const auto& r) { return r.name.ends_with("/b"); });
  REQUIRE(large != collected.results.end());
  CHECK_FALSE(large->well_formed);
  CHECK(large->problem.find("above the limit of 300 bytes") != std::string::npos);
}

TEST_CASE("a thousand strange files make a short list of warnings") {
  Bench bench;
  for (int i = 0; i < 1000; ++i) fs::create_symlink("x", bench.directory.artifacts(bench.step_id) / std::to_string(i));
  const auto collected = bench.collect();
  CHECK(collected.warnings.size() <= 51);
}

TEST_CASE("a file that cannot be read is a warning") {
  if (::geteuid() == 0) {
    WARN("not tested: root can read every file");
    return;
  }
  Bench bench;
  bench.artifact("closed", "x");
  ::chmod((bench.directory.artifacts(bench.step_id) / "closed").c_str(), 0);
  const auto collected = bench.collect();
  CHECK(collected.artifacts.empty());
  CHECK(warned(collected, "closed"));
}

TEST_CASE("a step without the directories left nothing; a missing job directory is an error") {
  Bench bench;
  fs::remove(bench.directory.results(bench.step_id));
  fs::remove(bench.directory.artifacts(bench.step_id));
  const auto collected = bench.collect();
  CHECK(collected.results.empty());
  CHECK(collected.artifacts.empty());
  CHECK(collected.warnings.empty());
  bench.directory.root = bench.state.path / "nowhere";
  JunitCollector collector{bench.workers};
  CHECK_FALSE(test::await(bench.loop, collector.collect(bench.step, bench.step_id, bench.directory, bench.redactor)));
}

TEST_CASE("a step that was never started left nothing, which is nothing to warn about") {
  Bench bench;
  fs::remove_all(bench.directory.step(bench.step_id));
  const auto collected = bench.collect();
  CHECK(collected.results.empty());
  CHECK(collected.artifacts.empty());
  CHECK(collected.warnings.empty());
}

TEST_CASE("what a step leaves in the workspace is collected where its plugin says so, and stays for the next one") {
  Bench bench;
  const auto workspace = bench.directory.workspace();
  test::write_file(workspace / "results/unit/a.xml", good);
  test::write_file(workspace / "results/b.xml", good);
  test::write_file(workspace / "results/notes.txt", "no result");
  test::write_file(workspace / "logs/deep/er/driver.log", "kept");
  test::write_file(workspace / "logs/core", "kept");
  test::write_file(bench.state.path / "outside.log", "secret");
  fs::create_symlink(bench.state.path / "outside.log", workspace / "logs/link.log");
  fs::create_directory_symlink(bench.state.path, workspace / "logs/away");
  bench.result("b.xml", good);  // The step's own counts.
  bench.step.rules.junit = {"results/**/*.xml", "reports/*.xml"};
  bench.step.rules.artifacts = {"logs/**"};
  const auto collected = bench.collect();
  CHECK(names(collected.results) == std::vector<std::string>{"test/acme/b", "test/acme/results/b", "test/acme/results/unit/a"});
  CHECK(names(collected.artifacts) == std::vector<std::string>{"logs/core", "logs/deep/er/driver.log"});
  CHECK(collected.warnings == std::vector<std::string>{"nothing in the workspace matches reports/*.xml"});
  CHECK(fs::exists(workspace / "results/unit/a.xml"));
  const auto& blob = collected.artifacts[1].blob;
  CHECK(blob.path == "steps/step-7/artifacts/logs/deep/er/driver.log");
  CHECK(test::read_file(bench.directory.root / blob.path) == "kept");

  bench.limits.artifact_bytes = 3;
  bench.step.rules = {};
  bench.step.rules.artifacts = {"results/notes.*"};
  CHECK(warned(bench.collect(), "results/notes.txt: left out, 9 bytes, above the limit of 3 bytes"));
}

TEST_CASE("a pattern of paths: a star stays in its directory, two go through any number of them") {
  for (const auto& [path, pattern] : {std::pair{"a/b.xml", "a/*.xml"}, std::pair{"a.xml", "**/*.xml"}, std::pair{"a/b/c.xml", "**/*.xml"}, std::pair{"a/b/c", "a/**"},
                                      std::pair{"a/b/c/d", "a/**/d"}, std::pair{"a/d", "a/**/**/d"}, std::pair{"ab", "a?"}})
    CHECK(matches_path(path, pattern));
  for (const auto& [path, pattern] : {std::pair{"a/b/c.xml", "a/*.xml"}, std::pair{"a/b", "a"}, std::pair{"a", "a/b"}, std::pair{"a/b", "*"}, std::pair{"b/a/c", "a/**"}})
    CHECK_FALSE(matches_path(path, pattern));
}

namespace {

std::string content_of(const Bench& bench, const job::Blob& blob) {
  auto content = test::read_file(bench.directory.root / blob.path);
  CHECK(blob.size == content.size());
  CHECK(blob.sha256 == sha256_hex(content));
  return content;
}

}  // namespace

TEST_CASE("a file with a secret is collected as a copy without it, whatever its form; the others stay what they are") {
  Bench bench;
  bench.redactor.add("h<ter&22");
  bench.result("unit.xml",
               "<testsuite name='s'><testcase name='t h&lt;ter&amp;22'><failure message='h&lt;ter&amp;22'/></testcase>"
               "<testcase name='u'><system-out><![CDATA[h<ter&22]]></system-out></testcase></testsuite>");
  bench.result("clean.xml", good);
  bench.result("old.tap", "1..1\nnot ok 1 - with h<ter&22\n");
  bench.artifact("notes.txt", std::string(256 * 1024 - 3, 'x') + "h<ter&22" + " end");
  bench.artifact("core.bin", std::string{"\0\1\2", 3} + "h<ter&22" + std::string{"\0\3", 2});
  bench.artifact("plain.bin", std::string{"\0\1\2", 3});
  const auto collected = bench.collect();
  REQUIRE(collected.results.size() == 3);
  for (const auto& result : collected.results) {
    CHECK(result.well_formed);
    const auto content = content_of(bench, result.blob);
    CHECK(content.find("ter&") == std::string::npos);
    if (result.name == "test/acme/unit") CHECK(content.find("<testcase name='t ***'><failure message='***'/>") != std::string::npos);
    if (result.name == "test/acme/unit") CHECK(result.failed == Names{"s::t ***"});
    if (result.name == "test/acme/clean") CHECK(result.blob.path == "steps/step-7/results/clean.xml");
  }
  for (const auto& artifact : collected.artifacts) {
    const auto content = content_of(bench, artifact.blob);
    if (artifact.name == "notes.txt") CHECK(content == std::string(256 * 1024 - 3, 'x') + "*** end");
    if (artifact.name == "core.bin") CHECK(content == std::string{"\0\1\2", 3} + "********" + std::string{"\0\3", 2});
    if (artifact.name == "plain.bin") CHECK(artifact.blob.path == "steps/step-7/artifacts/plain.bin");
    if (artifact.name == "results/old.tap") CHECK(content == "1..1\nnot ok 1 - with ***\n");
  }
  CHECK(collected.artifacts.size() == 4);
  // What the step left is there for those who look on this host.
  CHECK(test::read_file(bench.directory.artifacts(bench.step_id) / "core.bin").find("h<ter&22") != std::string::npos);
  CHECK(names(bench.collect().artifacts) == names(collected.artifacts));  // Once more, by the agent after one that has died.
}

TEST_CASE("a secret in the name of a file is in no name and no path, and each file is there") {
  Bench bench;
  bench.redactor.add("hunter22");
  bench.redactor.add("hunter33");
  for (const char* name : {"hunter22.txt", "hunter33.txt", "hunter22/a.txt"}) bench.artifact(name, std::string{"of "} + name[6]);
  bench.result("hunter22.xml", good);
  bench.result("hunter33.xml", good);
  const auto collected = bench.collect();
  CHECK(names(collected.artifacts) == Names{"***.txt", "***/a.txt", "***.txt.2"});
  CHECK(names(collected.results) == Names{"test/acme/***", "test/acme/***.xml"});
  for (const auto& artifact : collected.artifacts) {
    CHECK(artifact.blob.path.find("hunter") == std::string::npos);
    CHECK(content_of(bench, artifact.blob).starts_with("of "));
  }
  for (const auto& result : collected.results) CHECK(result.blob.path.find("hunter") == std::string::npos);
}

TEST_CASE("an attachment whose path holds a secret is found, and called as the hidden path says") {
  Bench bench;
  bench.redactor.add("hunter22");
  test::write_file(bench.directory.workspace() / "hunter22/shot.png", "a picture");
  bench.result("unit.xml", "<testsuite name='s'><testcase name='t'><system-out>[[ATTACHMENT|hunter22/shot.png]]</system-out></testcase></testsuite>");
  const auto collected = bench.collect();
  REQUIRE(names(collected.artifacts) == Names{"attachments/***/shot.png"});
  CHECK(content_of(bench, collected.artifacts[0].blob) == "a picture");
  REQUIRE(collected.results.size() == 1);
  CHECK(content_of(bench, collected.results[0].blob).find("[[ATTACHMENT|***/shot.png]]") != std::string::npos);
  CHECK(collected.warnings.empty());
}

TEST_CASE("a secret that shows only when the files of a result are put together is not in it") {
  Bench bench;
  bench.redactor.add("hunter22");
  fs::create_directories(bench.directory.root / "handed");
  std::vector<job::Blob> parts;
  // One character as a number, which no writer does: each file by itself does not hold the secret in any known form.
  for (const char* name : {"a", "b"}) {
    job::Blob blob;
    blob.path = std::string{"handed/"} + name;
    parts.push_back(blob);
    test::write_file(bench.directory.root / blob.path, "<testsuite name='s'><testcase name='" + std::string{name} + " hun&#116;er22'/></testsuite>");
  }
  JunitCollector collector{bench.workers, bench.limits};
  for (const bool has_secret : {true, false}) {
    const auto merged = test::await(bench.loop, collector.merge(bench.step, "unit", parts, "handed/whole", bench.directory, has_secret ? bench.redactor : log::Redactor{}));
    REQUIRE(merged);
    CHECK(merged->total == 2);
    const auto content = content_of(bench, merged->blob);
    CHECK((content.find("hunter22") == std::string::npos) == has_secret);
    CHECK((content.find("a ***") != std::string::npos) == has_secret);
    CHECK(fs::exists(bench.directory.root / "handed/whole") == !has_secret);
  }
}

TEST_CASE("parts that cannot be put together leave nothing behind, and can be tried again") {
  Bench bench;
  job::Blob part;
  part.path = "handed/a";
  test::write_file(bench.directory.root / part.path, "<testsuite name='s'><testcase name='a hunter22'/></testsuite>");
  const auto merge = [&](const std::string& secret) {
    log::Redactor redactor;
    redactor.add(secret);
    JunitCollector collector{bench.workers, bench.limits};
    return test::await(bench.loop, collector.merge(bench.step, "unit", {part, part}, "handed/whole", bench.directory, redactor));
  };
  // The copy without such a secret is no XML.
  REQUIRE_FALSE(merge("testcase name"));
  CHECK_FALSE(fs::exists(bench.directory.root / "handed/whole"));
  CHECK_FALSE(fs::exists(bench.directory.root / "handed/whole.redacted"));
  // What an agent has left that died meanwhile.
  test::write_file(bench.directory.root / "handed/whole.redacted", "<testsuite name='s'><testcase");
  const auto merged = merge("hunter22");
  REQUIRE((merged ? "" : merged.error().message) == "");
  CHECK(content_of(bench, merged->blob).find("a ***") != std::string::npos);
}
