#include "agent/process/local/tree_usage.hpp"
#include "agent/process/systemd/unit_usage.hpp"

#include "runner_fixture.hpp"
#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>

using namespace outpost::process;
using outpost::test::TemporaryDirectory;
using outpost::test::write_file;
namespace fs = std::filesystem;

TEST_CASE("what a tree of processes takes is added up, with the time of those that have ended") {
  int ready[2], hold[2];
  REQUIRE(::pipe(ready) == 0);
  REQUIRE(::pipe(hold) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    // A grandchild counts for some time, and ends; then this one holds 64 MiB.
    if (::fork() == 0) {
      while (std::clock() < CLOCKS_PER_SEC / 5) {
      }
      ::_exit(0);
    }
    ::wait(nullptr);
    constexpr std::size_t size = std::size_t{64} << 20;
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    char byte = memory == MAP_FAILED ? 'x' : 'r';
    if (::write(ready[1], &byte, 1) != 1 || ::close(hold[1]) != 0 || ::read(hold[0], &byte, 1) != 0) ::_exit(1);
    ::_exit(0);
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  REQUIRE(byte == 'r');
  const auto usage = usage_below(::getpid());
  ::close(hold[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
  for (const int end : {ready[0], ready[1], hold[0]}) ::close(end);
  REQUIRE(usage);
  CHECK(usage->cpu_us.value_or(0) >= 150'000U);
  CHECK(usage->memory.value_or(0) >= std::uint64_t{64} << 20);
  CHECK(usage->tasks.value_or(0) >= 1U);
  CHECK_FALSE(usage_below(child));
}

TEST_CASE("a command that runs here can be measured by its name, and others cannot") {
  boost::asio::io_context loop;
  LocalCommandRunner runner{OUTPOST_GUARDIAN};
  CHECK_FALSE(runner.probe("job/step"));
  // It ends when it was measured, however late that is.
  const TemporaryDirectory directory;
  const auto hold = directory.path / "hold";
  REQUIRE(::mkfifo(hold.c_str(), 0600) == 0);
  const int let_go = ::open(hold.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(let_go >= 0);
  std::optional<Usage> seen;
  TextOutput output{[&](std::string_view) {
    if (const auto probe = runner.probe("job/step")) seen = probe();
    (void)!::write(let_go, "\n", 1);
  }};
  Command command{.program = "/bin/sh", .arguments = {"-c", "echo ready; read -r line <'" + hold.native() + "'"}, .environment = {"PATH=/usr/bin:/bin"}, .name = "job/step"};
  const auto finished = outpost::test::await(loop, runner.run(std::move(command), output));
  ::close(let_go);
  REQUIRE(finished);
  REQUIRE(seen);
  CHECK(seen->tasks.value_or(0) >= 1U);
  CHECK(seen->memory.value_or(0) > 0U);
  CHECK_FALSE(runner.probe("job/step"));
}

TEST_CASE("a unit is measured by its control group of version 2, which is found in its slice") {
  const TemporaryDirectory mounted;
  const fs::path slice = mounted.path / "outpost.slice/outpost-job.slice/outpost-job-1.slice", unit = slice / "outpost-step@1.service";
  fs::create_directories(mounted.path / "system.slice/ssh.service/outpost-step@1.service");
  fs::create_directories(slice);
  write_file(mounted.path / "cgroup.controllers", "cpu memory pids\n");
  const auto probe = unit_probe("outpost-step@1.service", mounted.path);
  CHECK_FALSE(probe());
  fs::create_directories(unit);
  write_file(unit / "cpu.stat", "usage_usec 250000\n");
  write_file(unit / "memory.current", "1048576\n");
  write_file(unit / "pids.current", "4\n");
  const auto usage = probe();
  REQUIRE(usage);
  CHECK(usage->cpu_us == 250000U);
  CHECK(usage->memory == 1048576U);
  CHECK(usage->tasks == 4U);
  fs::remove_all(unit);
  CHECK_FALSE(probe());
}

TEST_CASE("a unit is measured by its control groups of version 1, each in its controller's own tree") {
  const TemporaryDirectory mounted;
  const fs::path unit = "outpost.slice/outpost-step@1.service";
  fs::create_directories(mounted.path / "systemd" / unit);
  for (const char* controller : {"cpuacct", "memory", "pids"}) fs::create_directories(mounted.path / controller / unit);
  write_file(mounted.path / "cpuacct" / unit / "cpuacct.usage", "7000000\n");
  write_file(mounted.path / "memory" / unit / "memory.usage_in_bytes", "4096\n");
  write_file(mounted.path / "pids" / unit / "pids.current", "2\n");
  const auto usage = unit_probe("outpost-step@1.service", mounted.path)();
  REQUIRE(usage);
  CHECK(usage->cpu_us == 7000U);
  CHECK(usage->memory == 4096U);
  CHECK(usage->tasks == 2U);
}
