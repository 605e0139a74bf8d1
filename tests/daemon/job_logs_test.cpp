#include "agent/daemon/job_logs.hpp"

#include "agent/log/capture.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <regex>
#include <sstream>

using namespace outpost;
using namespace outpost::test;

namespace {

/// Two steps of one job; the second one began first.
struct Jobs : TemporaryDirectory {
  Jobs() {
    print("0199-aaaa", "test.acme", "one\ttab hunter22\x1b[31m red\r\n");
    print("0199-aaaa", "install.acme", "two \xff\n", std::chrono::hours{1});
    print("0199-bbbb", "test.acme", "other\n");
  }

  void print(const std::string& job, const std::string& step, std::string_view text, std::chrono::hours ago = {}) {
    struct Earlier final : Clock {
      SystemClock clock;
      std::chrono::hours by{};
      [[nodiscard]] Timestamp now() const override { return clock.now() - by; }
      [[nodiscard]] std::chrono::nanoseconds since_boot() const override { return clock.since_boot(); }
    } clock;
    clock.by = ago;
    std::filesystem::create_directories(path / job / "logs");
    log::Redactor redactor;
    redactor.add("hunter22");
    auto capture = log::Capture::open({.job_directory = path / job, .folder = "logs", .step = step}, redactor, clock);
    REQUIRE(capture);
    capture->write(text);
    static_cast<void>(capture->prepare(true));
  }

  [[nodiscard]] std::string shown(daemon::JobLogsOptions options) const {
    options.jobs_directory = path;
    std::ostringstream out;
    const auto printed = daemon::print_job_logs(options, out);
    return printed ? out.str() : "error: " + printed.error().message;
  }
};

}  // namespace

TEST_CASE("the logs of a job are printed in the order in which its steps began, byte for byte") {
  const Jobs jobs;
  CHECK(jobs.shown({.job = "0199-aaaa"}) == "==> install.acme <==\ntwo \xff\n==> test.acme <==\none\ttab ***\x1b[31m red\r\n");
  CHECK(jobs.shown({.job = "0199-b"}) == "==> test.acme <==\nother\n");
  CHECK(jobs.shown({.job = "0199-aaaa", .step = "test.acme"}) == "one\ttab ***\x1b[31m red\r\n");
}

TEST_CASE("a terminal gets nothing that it obeys") {
  const Jobs jobs;
  CHECK(jobs.shown({.job = "0199-aaaa", .step = "test.acme", .terminal = true}) == "one\ttab ***\\x1b[31m red\n");
  CHECK(jobs.shown({.job = "0199-aaaa", .step = "install.acme", .terminal = true}) == "two \\xff\n");
}

TEST_CASE("a terminal that follows a log gets whole characters, wherever it is cut") {
  Jobs jobs;
  const std::string long_line = std::string(64 * 1024 - 1, 'x') + "\u00e9";  // Its last character spans what is read at once.
  jobs.print("0199-cccc", "test.acme", long_line + "\n\u00e9 and half \xc3");
  std::ostringstream out;
  const daemon::JobLogsOptions options{.jobs_directory = jobs.path, .job = "0199-c", .step = "test.acme", .terminal = true};
  REQUIRE(daemon::follow_job_logs(options, out, [](const std::string&) { return true; }));
  CHECK(out.str() == long_line + "\n\u00e9 and half \\xc3");
}

TEST_CASE("a job that has not begun is followed until it has") {
  Jobs jobs;
  const std::string id = "019a0000-0000-7000-8000-000000000001";
  int asked = 0;
  const auto ended = [&](const std::string& job) {
    CHECK(job == id);
    if (++asked == 2) std::filesystem::create_directories(jobs.path / id);
    if (asked == 3) jobs.print(id, "test.acme", "it runs\n");
    return asked == 4;
  };
  std::ostringstream out;
  REQUIRE(daemon::follow_job_logs({.jobs_directory = jobs.path, .job = id}, out, ended));
  CHECK(out.str() == "==> test.acme <==\nit runs\n");
  CHECK_FALSE(daemon::follow_job_logs({.jobs_directory = jobs.path, .job = "019b"}, out, ended));
}

TEST_CASE("on request each line has its time in front") {
  const Jobs jobs;
  const std::regex line{R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z other\n)"};
  CHECK(std::regex_match(jobs.shown({.job = "0199-b", .step = "test.acme", .times = true}), line));
}

TEST_CASE("a job or step that is not there is said, with those that are") {
  const Jobs jobs;
  CHECK(jobs.shown({.job = "0199-"}) == "error: 0199- may be any of 0199-aaaa, 0199-bbbb");
  CHECK(jobs.shown({.job = "0200"}) == "error: there is no job 0200 in " + jobs.path.string() + " (old ones lose their files)");
  CHECK(jobs.shown({.job = "../x"}).find("error: there is no job") == 0);
  CHECK(jobs.shown({.job = "0199-aaaa", .step = "nope"}) ==
        "error: the job 0199-aaaa has no log of a step nope; there are install.acme, test.acme");
  CHECK(jobs.shown({.jobs_directory = "/no/such", .job = "x"}).find("error: there is no job x") == 0);
}
