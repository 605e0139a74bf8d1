#include "agent/process/systemd/own_cgroup.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace outpost::process;
namespace fs = std::filesystem;

namespace {

struct Mounted : outpost::test::TemporaryDirectory {
  void file(const fs::path& name, std::string_view content) const {
    fs::create_directories((path / name).parent_path());
    outpost::test::write_file(path / name, content);
  }
};

}  // namespace

TEST_CASE("figures of a control group of version 2 are read") {
  const Mounted mounted;
  const fs::path group = "outpost.slice/outpost-step@1.service";
  mounted.file("cgroup.controllers", "cpu io memory pids\n");
  mounted.file(group / "cpu.stat", "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n");
  mounted.file(group / "memory.peak", "67108864\n");
  mounted.file(group / "memory.events", "low 0\nhigh 0\nmax 40\noom 1\noom_kill 2\noom_group_kill 0\n");
  mounted.file(group / "pids.peak", "17\n");
  mounted.file(group / "io.stat", "8:0 rbytes=4096 wbytes=100 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=2 rios=1 wios=1\n");
  mounted.file(group / "cgroup.procs", "12\n13\n0\n");
  mounted.file(group / "inner/cgroup.procs", "99\n");
  const OwnCgroup own{"0::/outpost.slice/outpost-step@1.service\n", mounted.path};
  const auto figures = own.figures();
  CHECK(figures.cpu_us == 1234567U);
  CHECK(figures.memory_peak == 67108864U);
  CHECK(figures.oom_kills == 2U);
  CHECK(figures.tasks_peak == 17U);
  CHECK(figures.read_bytes == 4097U);
  CHECK(figures.written_bytes == 102U);
  CHECK(own.processes() == std::unordered_set<pid_t>{12, 13, 99});
}

TEST_CASE("a helper beside a delegated group looks at the whole of it") {
  const Mounted mounted;
  mounted.file("cgroup.controllers", "memory\n");
  mounted.file("unit.service/memory.peak", "5\n");
  CHECK(OwnCgroup{"0::/unit.service/.control\n", mounted.path}.figures().memory_peak == 5U);
}

TEST_CASE("figures of control groups of version 1 are read, each from its controller's own tree") {
  const Mounted mounted;
  mounted.file("memory/steps/1/memory.max_usage_in_bytes", "1048576\n");
  mounted.file("memory/steps/1/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  mounted.file("cpu,cpuacct/steps/1/cpuacct.usage", "7000000\n");
  mounted.file("blkio/steps/1/blkio.throttle.io_service_bytes_recursive",
               "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 0\n8:0 Async 0\n8:0 Total 12288\nTotal 12288\n");
  mounted.file("systemd/steps/1/cgroup.procs", "7\n");
  const OwnCgroup own{"9:memory:/steps/1\n5:cpu,cpuacct:/steps/1\n4:pids:/steps/1\n3:blkio:/steps/1\n1:name=systemd:/steps/1\n0::/steps/1\n",
                      mounted.path};
  const auto figures = own.figures();
  CHECK(figures.memory_peak == 1048576U);
  CHECK(figures.oom_kills == 1U);
  CHECK(figures.cpu_us == 7000U);
  CHECK(figures.read_bytes == 4096U);
  CHECK(figures.written_bytes == 8192U);
  CHECK_FALSE(figures.tasks_peak);
  CHECK(own.processes() == std::unordered_set<pid_t>{7});
}

TEST_CASE("what version 1 counts for others too is left out, and version 2 beside it has the processor time") {
  const Mounted mounted;
  mounted.file("cpuacct/cpuacct.usage", "900000000\n");
  mounted.file("blkio/blkio.throttle.io_service_bytes_recursive", "8:0 Read 4096\n8:0 Write 8192\n");
  mounted.file("unified/steps/1/cpu.stat", "usage_usec 1234\nuser_usec 1000\n");
  const OwnCgroup own{"7:blkio:/\n2:cpuacct:/\n1:name=systemd:/steps/1\n0::/steps/1\n", mounted.path};
  const auto figures = own.figures();
  CHECK(figures.cpu_us == 1234U);
  CHECK_FALSE(figures.read_bytes);
}

TEST_CASE("what is not counted is left out") {
  const Mounted mounted;
  const auto figures = OwnCgroup{"0::/none\n", mounted.path}.figures();
  CHECK_FALSE(figures.cpu_us);
  CHECK_FALSE(figures.memory_peak);
  CHECK_FALSE(figures.oom_kills);
  CHECK_FALSE(figures.read_bytes);
}
