// What only the adapter on systemd promises. For a machine that systemd runs, with the units installed, as root or as
// user outpost: tests/process/in-systemd.
#include "systemd_fixture.hpp"

#include <boost/asio/post.hpp>

#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>

#include <atomic>
#include <cstdio>

using namespace outpost;
using namespace outpost::process;
using namespace outpost::process::test;
namespace fs = std::filesystem;

namespace {

/// Without a system bus until it goes, or somebody wants it back; needs root.
class BusAway {
 public:
  BusAway() { told("systemctl stop dbus.socket dbus.service"); }
  ~BusAway() { bring_back(); }
  BusAway(const BusAway&) = delete;
  BusAway& operator=(const BusAway&) = delete;

  void bring_back() {
    if (std::exchange(away_, false)) told("systemctl start dbus.socket dbus.service");
  }

 private:
  bool away_ = true;
};

/// The way to the system bus, which breaks when the answer to the first call of a name comes back.
class BreakingBus {
 public:
  explicit BreakingBus(std::string member) : member_{std::move(member)}, listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    fs::remove(path_);
    const auto own = address(path_);
    REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
    REQUIRE(::listen(listener_, 16) == 0);
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", ("unix:path=" + path_).c_str(), 1);
    thread_ = std::thread{[this] {
      for (int client; (client = ::accept(listener_, nullptr, nullptr)) >= 0;) pass_on(client);
    }};
  }
  ~BreakingBus() {
    ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    fs::remove(path_);
  }
  BreakingBus(const BreakingBus&) = delete;
  BreakingBus& operator=(const BreakingBus&) = delete;
  [[nodiscard]] bool has_broken() const { return broken_; }

 private:
  static sockaddr_un address(const std::string& path) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
  }
  /// Until one side has closed, or the call was answered.
  void pass_on(int client) {
    const int bus = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto real = address("/run/dbus/system_bus_socket");
    bool open = ::connect(bus, reinterpret_cast<const sockaddr*>(&real), sizeof real) == 0, called = false;
    while (open) {
      pollfd both[]{{client, POLLIN, 0}, {bus, POLLIN, 0}};
      ::poll(both, 2, -1);
      for (const bool is_answer : {false, true}) {
        if (both[is_answer].revents == 0) continue;
        char part[65536];
        const auto size = ::read(both[is_answer].fd, part, sizeof part);
        if (size <= 0 || (is_answer && called)) {
          broken_ = broken_ || called;
          open = false;
          break;
        }
        called = called || (!is_answer && !broken_ && std::string_view{part, static_cast<std::size_t>(size)}.find(member_) != std::string_view::npos);
        open = ::send(both[!is_answer].fd, part, static_cast<std::size_t>(size), MSG_NOSIGNAL) == size;
      }
    }
    ::close(bus);
    ::close(client);
  }

  std::string path_ = "/var/lib/outpost/breaking-bus", member_;
  int listener_;
  std::atomic<bool> broken_ = false;
  std::thread thread_;
};

/// Tells everybody on the system bus, again and again, that a unit is about to end, and that it has ended.
class Forger {
 public:
  explicit Forger(const char* unit)
      : thread_{[this, unit] {
          sd_bus* bus = nullptr;
          for (sd_bus_open_system(&bus); bus && !done_; std::this_thread::sleep_for(20ms)) {
            char** names = nullptr;
            if (sd_bus_list_names(bus, &names, nullptr) < 0) continue;
            for (char** name = names; *name; std::free(*name++)) {
              if (**name != ':') continue;
              send(bus, unit, *name, "deactivating", "stop-sigterm");
              send(bus, unit, *name, "inactive", "dead");
            }
            std::free(names);
          }
          sd_bus_flush_close_unref(bus);
        }} {}
  ~Forger() {
    done_ = true;
    thread_.join();
  }
  Forger(const Forger&) = delete;
  Forger& operator=(const Forger&) = delete;

 private:
  static void send(sd_bus* bus, const char* unit, const char* to, const char* active, const char* sub) {
    sd_bus_message* signal = nullptr;
    if (sd_bus_message_new_signal(bus, &signal, unit, "org.freedesktop.DBus.Properties", "PropertiesChanged") < 0) return;
    sd_bus_message_append(signal, "sa{sv}as", "org.freedesktop.systemd1.Unit", 3, "ActiveState", "s", active, "SubState", "s", sub, "Job", "(uo)", 0, "/", 0);
    sd_bus_send_to(bus, signal, to, nullptr);
    sd_bus_message_unref(signal);
  }

  std::atomic<bool> done_ = false;
  std::thread thread_;
};

/// Takes so many MiB, and touches them.
std::string eater(int mebibytes) {
  return "exec python3 -c 'b=bytearray(" + std::to_string(mebibytes) + "<<20); print(\"had\", len(b)>>20)'";
}

}  // namespace

TEST_CASE("a command runs as the user of its slot, who is in nobody else's group") {
  auto command = with_path("id -un; id -Gn");
  command.slot = 2;
  CHECK(run(command).output == "outpost-job-2\noutpost-job-2\n");
}

TEST_CASE("nobody but systemd tells the end of a command") {
  // By a hook, for one: who may use the bus may send signals to whomever he finds there.
  const Forger forger{"/org/freedesktop/systemd1/unit/outpost_2dstep_401_2eservice"};
  const auto result = run(with_path("echo ready; sleep 3; echo end"));  // Longer than the runner lets somebody die.
  REQUIRE(as<Exited>(result));
  CHECK(result.output == "ready\nend\n");
}

TEST_CASE("a command whose unit fails before it has not been started, whatever that exits with") {
  if (::getuid() != 0) return;
  const auto message_with = [](const std::string& settings) {
    const ChangedUnit changed{settings};
    const auto result = run(with_path("echo it runs"));
    REQUIRE_FALSE(result.finished);
    CHECK(result.output.empty());
    return result.finished.error().message;
  };
  CHECK(message_with("ExecStart=\nExecStart=/missing-for-outpost\n") == "outpost-step@1.service could not be started (status 203): see journalctl -u outpost-step@1.service");
  // Nor is there a report then, and systemd has forgotten the unit.
  CHECK(message_with("BindPaths=/missing-for-outpost\n") == "outpost-step@1.service could not be started: see journalctl -u outpost-step@1.service");
}

TEST_CASE("a command cannot reach the directory of another slot, and can write nothing of its own but output and report") {
  run(with_path("exit 0"));
  auto command = with_path("cat /run/outpost/slots/1/* 2>&1; cd /run/outpost/slots/2; ls; for f in *; do test -w $f && echo writes $f; done; touch new 2>&1");
  command.slot = 2;
  const auto result = run(command);
  CHECK(result.output.find("writes output\n") != std::string::npos);
  CHECK(result.output.find("writes report\n") != std::string::npos);
  CHECK(result.output.find("writes step\n") == std::string::npos);
  CHECK(result.output.find("Permission denied") != std::string::npos);
  CHECK(result.output.find("invocation") == std::string::npos);
}

TEST_CASE("neither arguments nor environment of a command are in its unit") {
  auto command = with_path("echo ready; exec sleep 600");
  command.environment.push_back("TOKEN=very-secret-value");
  std::string shown;
  run(command, [&](Run& so_far, boost::asio::cancellation_signal& stop) {
    shown = told("systemctl show outpost-step@1.service; systemctl status -n 100 outpost-step@1.service");
    cancel(so_far, stop);
  });
  CHECK(shown.find("outpost-step") != std::string::npos);
  CHECK(shown.find("very-secret-value") == std::string::npos);
}

TEST_CASE("what a command took is measured while its control group is there") {
  const auto result = run(with_path("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; sleep 0.01 & wait; " + eater(100)));
  REQUIRE(as<Exited>(result));
  const auto& figures = result.finished->figures;
  REQUIRE(figures.cpu_us);
  CHECK(*figures.cpu_us > 10'000);
  REQUIRE(figures.memory_peak);
  CHECK(*figures.memory_peak > 100ULL << 20);
  CHECK(*figures.memory_peak < 1ULL << 30);
  CHECK(figures.oom_kills.value_or(0) == 0);
  const auto next = run(with_path("exit 0"));
  REQUIRE(as<Exited>(next));
  CHECK(next.finished->figures.cpu_us.value_or(0) < *figures.cpu_us);
}

TEST_CASE("a command above its limit of memory has run out of it, and the peak is told") {
  auto command = with_path(eater(400));
  command.limits.memory = 64ULL << 20;
  const auto result = run(command);
  REQUIRE(as<OutOfMemory>(result));
  REQUIRE(result.finished->figures.memory_peak);
  CHECK(*result.finished->figures.memory_peak <= 64ULL << 20);
  CHECK(*result.finished->figures.memory_peak > 32ULL << 20);
}

TEST_CASE("limits of one command are none of the next one's") {
  const auto before = property("TasksMax");
  auto command = with_path("echo ready; exec sleep 600");
  command.limits = {.memory = 512ULL << 20, .tasks = 77, .cpu_percent = 50};
  std::string tasks, memory, quota;
  run(command, [&](Run& so_far, boost::asio::cancellation_signal& stop) {
    tasks = property("TasksMax");
    memory = property("MemoryMax");
    quota = property("CPUQuotaPerSecUSec");
    cancel(so_far, stop);
  });
  CHECK(tasks == "77");
  CHECK(memory == std::to_string(512ULL << 20));
  CHECK(quota == "500ms");
  CHECK(property("TasksMax") == before);
  CHECK(property("MemoryMax") == "infinity");
  CHECK(property("CPUQuotaPerSecUSec") == "infinity");
  const auto next = run(with_path(eater(700)));
  REQUIRE(as<Exited>(next));
  CHECK(next.output == "had 700\n");
}

TEST_CASE("limits that an administrator gives one unit stand as long as no step asks for others") {
  if (::getuid() != 0) return;
  auto command = with_path("exit 0");
  command.slot = 5;
  const ChangedUnit changed{"MemoryMax=300M\n", "outpost-step@5.service"};
  REQUIRE(as<Exited>(run(command)));
  CHECK(property("MemoryMax", "outpost-step@5.service") == std::to_string(300ULL << 20));
}

TEST_CASE("limits that an administrator gives one unit come back when a step that asks for others has ended") {
  if (::getuid() != 0) return;
  const std::string unit = "outpost-step@7.service";
  auto narrow = with_path("exit 0"), plain = with_path("exit 0");
  narrow.slot = plain.slot = 7;
  narrow.limits.tasks = 77;
  for (const char* tasks : {"555", "444"}) {  // Both before and after others were set for it.
    told("systemctl set-property --runtime " + unit + " TasksMax=" + tasks);
    REQUIRE(as<Exited>(run(narrow)));
    CHECK(property("TasksMax", unit.c_str()) == tasks);
    REQUIRE(as<Exited>(run(plain)));
    CHECK(property("TasksMax", unit.c_str()) == tasks);
  }
  told("systemctl revert " + unit);
  REQUIRE(as<Exited>(run(narrow)));
  CHECK(property("TasksMax", unit.c_str()) == property("TasksMax", "outpost-step@0.service"));
}

TEST_CASE("limits that an earlier agent has set, and has not noted, go with its step") {
  auto narrow = with_path("echo ready; exec sleep 600"), plain = with_path("exit 0");
  narrow.name = "job-1/test.narrow";
  narrow.slot = plain.slot = 8;
  narrow.limits.tasks = 77;
  const char* unit = "outpost-step@8.service";
  for (const bool is_taken_up : {true, false}) {
    OtherAgent{narrow, take_nothing_more}.kill();
    CHECK(property("TasksMax", unit) == "77");
    REQUIRE(fs::remove("/run/outpost/slots/8/limits.outpost-step@8.service"));
    if (is_taken_up) {
      told(std::string{"systemctl stop --no-block "} + unit);
      boost::asio::io_context loop;
      const auto runner = runner_under_test(loop);
      TextOutput sink;
      auto again = narrow;
      again.limits = {};  // Of those its plugin is not asked once more.
      REQUIRE(outpost::test::await(loop, runner->adopt(again, sink)));
    } else {
      REQUIRE(as<Exited>(run(plain)));
    }
    CHECK(property("TasksMax", unit) == property("TasksMax", "outpost-step@0.service"));
  }
}

TEST_CASE("limits that an administrator gives all units stand, and are only made stricter") {
  if (::getuid() != 0) return;
  const char* unit = "outpost-step@6.service";
  auto narrow = with_path("echo ready; exec sleep 600");
  auto plain = with_path("exit 0");
  narrow.slot = plain.slot = 6;
  narrow.limits = {.memory = 1ULL << 30, .tasks = 77, .cpu_percent = {}};
  // What systemd is told at run time lies between the two.
  for (const char* file : {"10-site.conf", "override.conf"}) {
    const ChangedUnit changed{"MemoryMax=300M\nTasksMax=555\n", "outpost-step@.service", file};
    std::string memory, tasks;
    run(narrow, [&](Run& so_far, boost::asio::cancellation_signal& stop) {
      memory = property("MemoryMax", unit);
      tasks = property("TasksMax", unit);
      cancel(so_far, stop);
    });
    CHECK(memory == std::to_string(300ULL << 20));
    CHECK(tasks == "77");
    REQUIRE(as<Exited>(run(plain)));
    CHECK(property("TasksMax", unit) == "555");
  }
  const ChangedUnit later{"TasksMax=444\n", "outpost-step@.service", "10-site.conf"};
  REQUIRE(as<Exited>(run(plain)));
  CHECK(property("TasksMax", unit) == "444");
  CHECK(property("MemoryMax", unit) == "infinity");
}

TEST_CASE("a unit that somebody else stops was stopped from outside, whatever the command made of it") {
  const auto stop_it = [](Run&, boost::asio::cancellation_signal&) { told("systemctl stop --no-block outpost-step@1.service"); };
  CHECK(as<StoppedOutside>(run(with_path("echo ready; exec sleep 600"), stop_it)));
  CHECK(as<StoppedOutside>(run(with_path("trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done"), stop_it)));
}

TEST_CASE("a unit that somebody else stops ends with the grace of its command, not with the patience of systemd") {
  if (::getuid() != 0) return;
  const ChangedUnit patient{"TimeoutStopSec=infinity\n"};
  auto command = with_path("trap '' TERM; echo ready; while :; do sleep 0.01; done");
  command.grace = 1s;
  const auto result = run(command, [](Run&, boost::asio::cancellation_signal&) { told("systemctl stop --no-block outpost-step@1.service"); });
  CHECK(as<StoppedOutside>(result));
}

TEST_CASE("a command is started when the system bus is back") {
  if (::getuid() != 0) return;
  BusAway away;
  boost::asio::io_context loop;
  SystemdCommandRunner::Options options;
  std::string line;
  options.log = [&](const std::string& told_line) {
    line = told_line;
    away.bring_back();
  };
  SystemdCommandRunner runner{loop.get_executor(), std::move(options)};
  const auto result = run(with_path("echo there"), {}, runner, loop);
  REQUIRE(as<Exited>(result));
  CHECK(result.output == "there\n");
  CHECK(line.find(" waits for systemd: ") != std::string::npos);
}

TEST_CASE("a command waits for the system bus no longer than it may take, and not when it is cancelled") {
  if (::getuid() != 0) return;
  const BusAway away;
  auto command = with_path("echo there");
  command.deadline = 500ms;
  const auto result = run(command);
  REQUIRE(result.finished.has_error());
  CHECK(result.finished.error().fault == Fault::unavailable);
  CHECK(result.finished.error().message.find("system bus") != std::string::npos);

  boost::asio::io_context loop;
  boost::asio::cancellation_signal stop;
  SystemdCommandRunner::Options options;
  options.log = [&](const std::string&) { boost::asio::post(loop, [&] { stop.emit(boost::asio::cancellation_type::terminal); }); };
  SystemdCommandRunner runner{loop.get_executor(), std::move(options)};
  TextOutput sink;
  const auto cancelled = outpost::test::await(loop, runner.run(with_path("echo there"), sink), 120s, &stop);
  REQUIRE(cancelled);
  CHECK(std::holds_alternative<Cancelled>(cancelled->ending));
}

TEST_CASE("a command whose start nobody has confirmed is run once, and attended to its end") {
  const BreakingBus bus{"StartUnit"};
  const auto result = run(with_path("echo once; sleep 3; exit 4"));
  REQUIRE(as<Exited>(result));
  CHECK(as<Exited>(result)->status == 4);
  CHECK(result.output == "once\n");
  CHECK(bus.has_broken());
}

TEST_CASE("a command whose start nobody has confirmed, and which has ended since, is run once") {
  const BreakingBus bus{"StartUnit"};
  const auto result = run(with_path("echo once; exit 4"));
  REQUIRE(as<Exited>(result));
  CHECK(as<Exited>(result)->status == 4);
  CHECK(result.output == "once\n");
}

TEST_CASE("a command that somebody else kills was killed") {
  const auto result = run(with_path("echo ready; exec sleep 600"), [](Run&, boost::asio::cancellation_signal&) {
    told("systemctl kill -s KILL outpost-step@1.service");
  });
  REQUIRE(as<Killed>(result));
  CHECK(as<Killed>(result)->signal == SIGKILL);
}

TEST_CASE("no unit has failed because a hook has") {
  run(with_path("exit 3"));
  run(with_path("kill -SEGV $$"));
  CHECK(property("ActiveState") == "inactive");
  CHECK(told("systemctl --failed --no-legend").find("outpost-step") == std::string::npos);
}

TEST_CASE("how a command ended is known also when whoever writes its report is killed") {
  if (::getuid() != 0) return;
  const ChangedUnit killed_writer{"ExecStopPost=\nExecStopPost=/bin/sh -c 'kill -KILL $$$$'\n"};
  const auto result = run(with_path("exit 3"));
  REQUIRE(as<Exited>(result));
  CHECK(as<Exited>(result)->status == 3);
  const auto broken = run(with_path("kill -SEGV $$"));
  REQUIRE(as<Killed>(broken));
  CHECK(as<Killed>(broken)->signal == SIGSEGV);
  const auto stopped = run(with_path("echo ready; exec sleep 600"), [](Run&, boost::asio::cancellation_signal&) { told("systemctl stop --no-block outpost-step@1.service"); });
  CHECK(as<StoppedOutside>(stopped));
}

TEST_CASE("files that a command closed to others are opened for the agent, in the directories that it is to read") {
  const fs::path outcome = "/var/lib/outpost/jobs/outcome-test", other = "/var/lib/outpost/jobs/other-test";
  struct group* slot = ::getgrnam("outpost-job-1");
  REQUIRE(slot);
  for (const auto& directory : {outcome, other}) {
    fs::remove_all(directory);
    REQUIRE(fs::create_directory(directory));
    REQUIRE(::chown(directory.c_str(), static_cast<uid_t>(-1), slot->gr_gid) == 0);
    fs::permissions(directory, fs::perms::owner_all | fs::perms::group_all);
  }
  auto command = with_path("for d in " + outcome.string() + " " + other.string() + "; do mkdir -p $d/a/b; echo x >$d/a/b/f; chmod 0600 $d/a/b/f; chmod 0700 $d/a/b; chmod 0 $d/a; done");
  command.outcome = {outcome};
  REQUIRE(as<Exited>(run(command)));
  const auto mode = [](const fs::path& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
  };
  CHECK((mode(outcome / "a") & 0070) == 0070);
  CHECK((mode(outcome / "a/b") & 0070) == 0070);
  CHECK((mode(outcome / "a/b/f") & 0040) == 0040);
  CHECK(mode(other / "a") == 0);
  auto clean = with_path("chmod -R u+rwX,g+rwX " + other.string());
  run(clean);
  fs::remove_all(outcome);
  fs::remove_all(other);
}

TEST_CASE("a command outlives the agent, and the next agent gets the rest of its output and its end") {
  for (const bool ends_meanwhile : {false, true}) {
    // As long as one reader is there nothing is lost; for an agent, systemd is that one.
    auto command = with_path("echo ready; i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i; [ -e /proc/self ] && [ $i = 1000 ] && sleep " +
                             std::string{ends_meanwhile ? "0" : "1"} + "; done; exit 9");
    command.name = "job-1/test.acme";
    OtherAgent agent{command, take_nothing_more};
    const int kept = ::open("/run/outpost/slots/1/output", O_RDONLY | O_NONBLOCK);
    REQUIRE(kept >= 0);
    agent.kill();
    if (ends_meanwhile) CHECK(eventually([] { return property("ActiveState") == "inactive"; }));

    boost::asio::io_context loop;
    const auto runner = runner_under_test(loop);
    std::string rest;
    TextOutput sink{[&](std::string_view text) { rest += text; }};
    auto other = command;
    other.name = "job-1/another";
    CHECK(outpost::test::await(loop, runner->adopt(other, sink)).error().fault == Fault::unavailable);
    CHECK(outpost::test::await(loop, runner->look_for(other)) == Left::not_begun);
    CHECK(outpost::test::await(loop, runner->look_for(command)) == Left::there);
    const auto adopted = outpost::test::await(loop, runner->adopt(command, sink));
    REQUIRE(adopted);
    REQUIRE(std::holds_alternative<Exited>(adopted->ending));
    CHECK(std::get<Exited>(adopted->ending).status == 9);
    CHECK(rest.ends_with("line 1999\nline 2000\n"));
    // From the first byte that the dead agent had not taken.
    int line = 0;
    const auto begin = rest.find("line ");
    REQUIRE(std::sscanf(rest.c_str() + begin, "line %d", &line) == 1);
    std::string expected;
    for (int number = line; number <= 2000; ++number) expected += "line " + std::to_string(number) + "\n";
    CHECK(rest.substr(begin) == expected);
    // Until the next command of the slot: whoever asked may have died before it was written down.
    CHECK(outpost::test::await(loop, runner->look_for(command)) == Left::there);
    const auto again = outpost::test::await(loop, runner->adopt(command, sink));
    REQUIRE(again);
    CHECK(std::get<Exited>(again->ending).status == 9);
    auto next = with_path("exit 0");
    next.name = "job-1/collect.acme";
    run(next);
    CHECK(outpost::test::await(loop, runner->look_for(command)) == Left::not_begun);
    ::close(kept);
  }
}

TEST_CASE("output that nobody kept is told to be lost also while the report of the command is still being written") {
  if (::getuid() != 0) return;
  const auto told_writer = property("ExecStopPost");
  const auto begin = told_writer.find("argv[]=") + 7;
  const fs::path gate = "/run/outpost/gate";
  fs::remove(gate);
  const ChangedUnit slow_writer{"ExecStopPost=\nExecStopPost=+/bin/sh -c 'until [ -e " + gate.string() + " ]; do sleep 0.05; done'\n"
                                "ExecStopPost=+" + told_writer.substr(begin, told_writer.find(" ;", begin) - begin) + "\n"};
  const fs::path let_go = "/run/outpost/let-go";
  fs::remove(let_go);
  auto command = with_path("echo ready; until [ -e " + let_go.string() + " ]; do sleep 0.02; done; echo last words");
  command.name = "job-1/test.unheard";
  OtherAgent agent{command, take_nothing_more};
  agent.kill();
  std::ofstream{let_go} << "\n";
  REQUIRE(eventually([] { return property("SubState") == "stop-post"; }));
  boost::asio::io_context loop;
  const auto runner = runner_under_test(loop);
  TextOutput sink;
  std::ofstream{gate} << "\n";
  const auto adopted = outpost::test::await(loop, runner->adopt(command, sink));
  REQUIRE(adopted);
  CHECK(std::holds_alternative<Exited>(adopted->ending));
  CHECK(adopted->output_lost);
  fs::remove(gate);
  fs::remove(let_go);
}

TEST_CASE("a command that was being cancelled when the agent died is cancelled, and its grace goes on") {
  auto command = with_path("trap '' TERM; echo ready; while :; do sleep 0.01; done");
  command.name = "job-1/test.stubborn";
  command.grace = 2s;
  OtherAgent agent{command, cancel};
  REQUIRE(eventually([] { return fs::exists("/run/outpost/slots/1/stopping"); }));
  agent.kill();
  boost::asio::io_context loop;
  const auto runner = runner_under_test(loop);
  TextOutput sink;
  const auto adopted = outpost::test::await(loop, runner->adopt(command, sink));
  REQUIRE(adopted);
  CHECK(std::holds_alternative<Cancelled>(adopted->ending));
}

TEST_CASE("who starts the unit of a step that has run runs nothing") {
  const fs::path trace = "/var/lib/outpost-jobs/1/trace";
  auto command = with_path("echo x >>" + trace.string() + "; echo ready; exec sleep 600");
  const auto result = run(command, [](Run&, boost::asio::cancellation_signal&) { told("systemctl stop outpost-step@1.service; systemctl start outpost-step@1.service"); });
  CHECK(as<StoppedOutside>(result));
  told("systemctl start outpost-step@1.service");
  CHECK(told("cat " + trace.string()) == (::getuid() == 0 ? "x\n" : ""));  // The home is the slot's alone.
  if (::getuid() == 0) fs::remove(trace);
  else run(with_path("rm " + trace.string()));
}

TEST_CASE("what an agent that cannot take it up again has left in a slot ends before the next command") {
  const Mark mark;
  OtherAgent{child({"daemons", "stay"}, mark), take_nothing_more}.kill();
  CHECK(run(with_path("ps -e -o user= | grep -c outpost-job-1 || true; echo next")).output.ends_with("next\n"));
  if (::getuid() == 0) CHECK(mark.processes().empty());
}
