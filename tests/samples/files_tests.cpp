#include "live_server.hpp"

#include "agent/base/text.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

extern char** environ;

namespace outpost::test {
namespace {

TEST_CASE("a body above the limit is 413 with its length and accepted in chunks") {
  sample::ServerOptions options;
  options.max_content_length = 1024 * 1024;
  LiveServer server{options};
  Lab lab{server};
  const auto job = lab.add_job();
  const std::string large(1024 * 1024 + 1, 'x');
  const auto refused = lab.upload(job, "large", large);
  CHECK(refused.status == 413);
  CHECK(refused.headers.get("Content-Type").starts_with("text/html"));
  CHECK(lab.upload(job, "just", large.substr(1)).status == 201);
  const http::Headers chunked{
      {"DCI-NAME", "large"}, {"DCI-JOB-ID", job}, {"Transfer-Encoding", "chunked"}, {"Content-Type", "text/plain"}};
  const auto accepted = server.send(lab.remoteci, "POST", "/api/v1/files", large, chunked);
  CHECK(accepted.status == 201);
  CHECK(accepted.body.at("file").at("size").as_int64() == 1024 * 1024 + 1);
  auto unsigned_request =
      server.prepared({}, "POST", "/api/v1/files", large, {{"DCI-NAME", "large"}, {"DCI-JOB-ID", job}});
  CHECK(server.raw(unsigned_request).value().status ==
        413);  // The original looks at the body before it asks who sends it.
}

TEST_CASE("names of files are Latin-1 on the wire, in full at most 255 characters") {
  LiveServer server;
  Lab lab{server};
  const auto job = lab.add_job();
  const auto file = lab.upload(job, "na\xEFve name.txt", "x");
  REQUIRE(file.status == 201);
  CHECK(file.body.at("file").at("name") == "na\u00EFve name.txt");
  const auto content =
      server.send(lab.remoteci, "GET", "/api/v1/files/" + text_of(file.body.at("file").at("id")) + "/content");
  CHECK(content.text == "x");
  CHECK(content.chunked);
  CHECK(content.headers.get("Content-Disposition") ==
        "attachment; filename*=UTF-8''na%C3%AFve_name.txt; filename=nave_name.txt");
  CHECK(lab.upload(job, std::string(255, '\xEF'), "x").status == 201);
  CHECK(lab.upload(job, std::string(256, 'x'), "x").status == 400);
}

TEST_CASE("broken XML is refused, yet the file is there") {
  LiveServer server;
  Lab lab{server};
  const auto job = lab.add_job();
  const auto refused = lab.upload(job, "tests", "<testsuite>\n<testcase></testsuite>", "application/junit");
  CHECK(refused.status == 400);
  CHECK(refused.message() == "Invalid XML: mismatched tag: line 2, column 12");
  CHECK(server.send(lab.remoteci, "GET", "/api/v1/jobs/" + job + "/files").body.at("_meta").at("count") == 1);
  CHECK(server.send(lab.remoteci, "GET", "/api/v1/jobs/" + job + "/results").body.at("_meta").at("count") == 0);
}

TEST_CASE("regressions are found against the previous job of the same kind; two results of a name break the upload") {
  LiveServer server;
  Lab lab{server};
  const auto junit = [](bool ok) {
    return "<testsuites><testsuite name='s'><testcase classname='c' name='t' time='1.4'>" +
           std::string{ok ? "" : "<failure/>"} +
           "</testcase><testsuite name='inner'><testcase "
           "name='u'><skipped/></testcase></testsuite></testsuite></testsuites>";
  };
  const json::object kind{{"name", "nightly"}, {"configuration", "a"}};
  const auto first = lab.add_job(kind);
  REQUIRE(lab.upload(first, "tests", junit(true), "application/junit").status == 201);
  lab.add_job({{"name", "nightly"}, {"configuration", "b"}});
  const auto second = lab.add_job(kind);
  REQUIRE(lab.upload(second, "tests", junit(false), "application/junit").status == 201);
  const auto result = server.send(lab.remoteci, "GET", "/api/v1/jobs/" + second + "/results").body.at("results").at(0);
  CHECK(result.at("regressions") == 1);
  CHECK(result.at("total") == 2);
  CHECK(result.at("skips") == 1);
  CHECK(result.at("time") == 1);
  const auto parsed = server.send(lab.remoteci, "GET", "/api/v1/files/" + text_of(result.at("file_id")) + "/junit");
  CHECK(parsed.body.at("previous_job").at("id") == first.c_str());
  CHECK(parsed.body.at("testsuites").at(0).at("name") == "inner");
  CHECK(parsed.body.at("testsuites").at(1).at("testcases").at(0).at("state") == "REGRESSED");

  REQUIRE(lab.upload(second, "tests", junit(true), "application/junit").status == 201);
  const auto third = lab.add_job(kind);
  const auto broken = lab.upload(third, "tests", junit(true), "application/junit");
  CHECK(broken.status == 500);
  CHECK(broken.headers.get("Content-Type") == "text/html");
  CHECK(server.send(lab.remoteci, "GET", "/api/v1/jobs/" + third + "/files").body.at("_meta").at("count") == 1);
  CHECK(server.send(lab.remoteci, "GET", "/api/v1/jobs/" + third + "/results").body.at("_meta").at("count") == 0);
}

/// The server as a program of its own, so that its memory can be looked at.
struct Program {
  explicit Program(const std::filesystem::path& data) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    std::string path = OUTPOST_SAMPLE_SERVER, flag = "--data", directory = data.string(),
                limit = "--max-content-length-mb", megabytes = "100";
    char* arguments[] = {path.data(), flag.data(), directory.data(), limit.data(), megabytes.data(), nullptr};
    std::vector<std::string> values{"ASAN_OPTIONS=quarantine_size_mb=1:malloc_context_size=0"};
    for (char** entry = environ; *entry; ++entry) values.emplace_back(*entry);
    std::vector<char*> environment;
    for (auto& value : values) environment.push_back(value.data());
    environment.push_back(nullptr);
    REQUIRE(::posix_spawn(&pid, path.c_str(), &actions, nullptr, arguments, environment.data()) == 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    std::string line;
    for (char c = 0; ::read(ends[0], &c, 1) == 1 && c != '\n';) line += c;  // Its first line has the port.
    ::close(ends[0]);
    INFO(line);
    REQUIRE(line.rfind(':') != std::string::npos);
    port = static_cast<std::uint16_t>(std::stoi(line.substr(line.rfind(':') + 1)));
  }
  ~Program() {
    ::kill(pid, SIGTERM);
    int status = 0;
    ::waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] long peak_kib() const {
    std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
    return -1;
  }

  pid_t pid = 0;
  std::uint16_t port = 0;
};

TEST_CASE("64 MiB go in and out without growing the server") {
  TemporaryDirectory directory;
  const Program program{directory.path / "data"};
  const std::string size = std::to_string(64 * 1024 * 1024);
  const auto send = [&](const std::string& method, const std::string& target, std::string body) {
    replay::WireRequest request{method,
                                target,
                                {{"Host", "localhost"}, {"Authorization", "Basic " + to_base64("admin:admin")}},
                                std::move(body)};
    if (!request.body.empty()) request.headers.add("Content-Length", std::to_string(request.body.size()));
    return replay::exchange("127.0.0.1", program.port, request).value();
  };
  REQUIRE(send("GET", "/api/v1/identity", "").status == 200);
  REQUIRE(send("PUT", "/object-store/dci-components/warm/up", std::string(1024 * 1024, 'w')).status == 200);
  const auto before = program.peak_kib();
  REQUIRE(send("PUT", "/object-store/dci-components/big/file", std::string(64 * 1024 * 1024, 'b')).status == 200);
  CHECK(std::filesystem::file_size(directory.path / "data/objects/dci-components/big/file") == 64 * 1024 * 1024);
  CHECK(program.peak_kib() - before < 16 * 1024);
}

}  // namespace
}  // namespace outpost::test
