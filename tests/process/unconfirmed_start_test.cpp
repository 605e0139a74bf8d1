// What becomes of a command of which nobody knows whether systemd has started it, or that was started and whose limits
// were refused, and of the limits of one that an earlier agent has left, on a bus of the test's own with a systemd that does as it is told.
#include "agent/process/systemd/systemd_command_runner.hpp"

#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/private_bus.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <iostream>
#include <vector>

using namespace outpost;
using namespace outpost::process;
using namespace outpost::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr const char* unit_path = "/org/freedesktop/systemd1/unit/outpost_2dstep_401_2eservice";
constexpr const char* usual_path = "/org/freedesktop/systemd1/unit/outpost_2dstep_400_2eservice";

/// As far as the runner asks it: the unit of slot 1, which runs from StartUnit until it gets SIGTERM.
struct FakeSystemd {
  FakeSystemd(asio::io_context& on, fs::path directory)
      : slot{std::move(directory)}, loop{on}, bus{loop.get_executor(), [this](sd_bus* connection) { return offer(connection); }} {}

  asio::awaitable<bool> join() {
    for (;;) {
      auto request = bus.method("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", "su", "org.freedesktop.systemd1", std::uint32_t{4});
      auto asking = bus.call(std::move(request));
      if (co_await std::move(asking)) co_return true;
      asio::steady_timer pause{loop, 10ms};
      co_await pause.async_wait(asio::use_awaitable);
    }
  }

  void report(const std::string& lines) const { std::ofstream{slot / report_file, std::ios::app} << lines; }
  void end(const std::string& lines) {
    report(lines);
    active = "inactive";
  }

  fs::path slot;
  asio::io_context& loop;
  std::string active = "inactive";
  std::uint64_t tasks = 4096;   ///< The limit of the unit; of all of its kind it is that.
  bool has_set_limits = false;  ///< As its drop-ins tell.
  int starts = 0, limitings = 0, limitings_refused_after = 1000;
  std::vector<int> signals;
  std::function<bool()> on_start = [] { return true; };  ///< Whether StartUnit is answered.
  bus::Bus bus;

 private:
  int offer(sd_bus* connection);
};

FakeSystemd& fake(void* object) { return *static_cast<FakeSystemd*>(object); }

int list_units(sd_bus_message* call, void* object, sd_bus_error*) {
  const char* state = fake(object).active.c_str();
  return sd_bus_reply_method_return(call, "a(ssssssouso)", 1, "outpost-step@1.service", "", "loaded", state, "running", "", unit_path, 0U, "", "/");
}
int start_unit(sd_bus_message* call, void* object, sd_bus_error*) {
  auto& systemd = fake(object);
  ++systemd.starts;
  systemd.active = "active";
  systemd.report("invocation 0123456789abcdef0123456789abcdef\n");
  const Descriptor output{::open((systemd.slot / output_file).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)};
  CHECK(::write(output.get(), "it runs\n", 8) == 8);
  return systemd.on_start() ? sd_bus_reply_method_return(call, "o", "/org/freedesktop/systemd1/job/1") : 1;
}
int kill_unit(sd_bus_message* call, void* object, sd_bus_error*) {
  auto& systemd = fake(object);
  int signal = 0;
  sd_bus_message_read(call, "ssi", nullptr, nullptr, &signal);
  systemd.signals.push_back(signal);
  if (systemd.active == "active" && signal == SIGTERM) systemd.end("stopped\nended success killed TERM\n");
  sd_bus_emit_signal(sd_bus_message_get_bus(call), unit_path, "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as", "org.freedesktop.systemd1.Unit", 0, 0);
  return sd_bus_reply_method_return(call, "");
}
int set_properties(sd_bus_message* call, void* object, sd_bus_error*) {
  auto& systemd = fake(object);
  if (++systemd.limitings > systemd.limitings_refused_after) return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_ACCESS_DENIED, "not now");
  const char* name = nullptr;
  std::uint64_t value = 0;
  sd_bus_message_read(call, "sb", nullptr, nullptr);
  sd_bus_message_enter_container(call, 'a', "(sv)");
  while (sd_bus_message_read(call, "(sv)", &name, "t", &value) > 0)
    if (name == std::string_view{"TasksMax"}) systemd.tasks = value;
  systemd.has_set_limits = true;
  return sd_bus_reply_method_return(call, "");
}
int done(sd_bus_message* call, void*, sd_bus_error*) { return sd_bus_reply_method_return(call, ""); }
int get_drop_ins(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* object, sd_bus_error*) {
  if (!fake(object).has_set_limits) return sd_bus_message_append(reply, "as", 0);
  return sd_bus_message_append(reply, "as", 1, "/run/systemd/system.control/outpost-step@1.service.d/50-TasksMax.conf");
}
int get_tasks(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* object, sd_bus_error*) {
  return sd_bus_message_append(reply, "t", fake(object).tasks);
}
int get_usual_tasks(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void*, sd_bus_error*) {
  return sd_bus_message_append(reply, "t", std::uint64_t{4096});
}

const sd_bus_vtable manager[] = {SD_BUS_VTABLE_START(0),
                                 SD_BUS_METHOD("ListUnitsByNames", "as", "a(ssssssouso)", list_units, SD_BUS_VTABLE_UNPRIVILEGED),
                                 SD_BUS_METHOD("StartUnit", "ss", "o", start_unit, SD_BUS_VTABLE_UNPRIVILEGED),
                                 SD_BUS_METHOD("KillUnit", "ssi", "", kill_unit, SD_BUS_VTABLE_UNPRIVILEGED),
                                 SD_BUS_METHOD("ResetFailedUnit", "s", "", done, SD_BUS_VTABLE_UNPRIVILEGED),
                                 SD_BUS_METHOD("SetUnitProperties", "sba(sv)", "", set_properties, SD_BUS_VTABLE_UNPRIVILEGED),
                                 SD_BUS_VTABLE_END};
const sd_bus_vtable unit[] = {SD_BUS_VTABLE_START(0), SD_BUS_PROPERTY("DropInPaths", "as", get_drop_ins, 0, 0), SD_BUS_VTABLE_END};
const sd_bus_vtable service[] = {SD_BUS_VTABLE_START(0), SD_BUS_PROPERTY("TasksMax", "t", get_tasks, 0, 0), SD_BUS_VTABLE_END};
const sd_bus_vtable usual_service[] = {SD_BUS_VTABLE_START(0), SD_BUS_PROPERTY("TasksMax", "t", get_usual_tasks, 0, 0), SD_BUS_VTABLE_END};

int FakeSystemd::offer(sd_bus* connection) {
  return test::offer_interfaces(connection, this,
                                {{"/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", manager},
                                 {unit_path, "org.freedesktop.systemd1.Unit", ::unit},
                                 {unit_path, "org.freedesktop.systemd1.Service", service},
                                 {usual_path, "org.freedesktop.systemd1.Service", usual_service}});
}

/// One slot of a machine on which the test says what systemd does.
struct World {
  ~World() { ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS"); }
  bool start() {
    if (!bus.is_there()) {
      std::cout << "SKIPPED: starts that nobody confirms: dbus-daemon is missing or does not start (Debian: dbus-daemon)\n";
      return false;
    }
    return await(loop, systemd.join());
  }
  /// The bus goes before StartUnit is answered. `then` is done before the runner knows.
  void lose_the_answer(std::function<void()> then) {
    systemd.on_start = [this, then = std::move(then)] {
      bus.stop();
      asio::post(loop, then);
      return false;
    };
  }
  void bring_back() {
    bus.start();
    asio::co_spawn(loop, systemd.join(), asio::detached);
  }
  void cancel() { stop.emit(asio::cancellation_type::terminal); }

  Result<Finished> run(const std::function<void(Command&)>& change = {}, std::chrono::milliseconds patience = 90s) {
    SystemdCommandRunner runner{loop.get_executor(), options(patience)};
    auto command = step;
    if (change) change(command);
    TextOutput sink{[this](std::string_view text) { output += text; }};
    return await(loop, runner.run(std::move(command), sink), 120s, &stop);
  }
  Result<Finished> adopt() {
    SystemdCommandRunner runner{loop.get_executor(), options(90s)};
    TextOutput sink;
    return await(loop, runner.adopt(step, sink), 120s);
  }
  SystemdCommandRunner::Options options(std::chrono::milliseconds patience) {
    return {.slots = directory.path, .patience = patience, .log = [this](const std::string& line) { log.push_back(line); }, .group = ::getgid()};
  }
  /// The step has run for an earlier agent, which has set that limit, or found it.
  void leave_step(std::uint64_t tasks) {
    REQUIRE(slot.prepare(step));
    systemd.report("invocation 0123456789abcdef0123456789abcdef\n");
    systemd.end("ended success exited 0\n");
    systemd.tasks = tasks;
    systemd.has_set_limits = true;
  }

  TemporaryDirectory directory;
  SlotDirectory slot{directory.path / "1", ::getgid()};
  Command step{.program = "/bin/true", .name = "job-1/test.acme"};
  PrivateBus bus;
  asio::io_context loop;
  FakeSystemd systemd{loop, directory.path / "1"};
  asio::cancellation_signal stop;
  std::string output;
  std::vector<std::string> log;
};

void give_no_time(Command& command) { command.deadline = 0ms; }

}  // namespace

TEST_CASE("A command that is cancelled before anybody knows that it was started is seen to end") {
  World world;
  if (!world.start()) return;
  world.lose_the_answer([&] {
    world.cancel();
    world.bring_back();
  });
  const auto result = world.run();
  REQUIRE(result);
  CHECK(std::holds_alternative<Cancelled>(result->ending));
  CHECK(world.systemd.starts == 1);
  REQUIRE_FALSE(world.systemd.signals.empty());
  CHECK(world.systemd.signals.front() == SIGTERM);
  CHECK(world.systemd.active == "inactive");
  CHECK(world.output == "it runs\n");
}

TEST_CASE("A command whose time to start is over before anybody knows that it was started is seen to end") {
  World world;
  if (!world.start()) return;
  world.lose_the_answer([&] { world.bring_back(); });
  const auto result = world.run(give_no_time);
  REQUIRE(result.has_error());
  CHECK(result.error().fault == Fault::unavailable);
  CHECK(result.error().message.find("StartUnit") != std::string::npos);
  REQUIRE_FALSE(world.systemd.signals.empty());
  CHECK(world.systemd.signals.front() == SIGTERM);
  CHECK(world.systemd.active == "inactive");
}

TEST_CASE("A command that has ended by itself before anybody knows that it was started has ended as it did") {
  World world;
  if (!world.start()) return;
  world.lose_the_answer([&] {
    world.systemd.end("ended exit-code exited 4\n");
    world.bring_back();
  });
  const auto result = world.run(give_no_time);
  REQUIRE(result);
  REQUIRE(std::holds_alternative<Exited>(result->ending));
  CHECK(std::get<Exited>(result->ending).status == 4);
  CHECK(world.systemd.signals.empty());
  CHECK(world.output == "it runs\n");
}

TEST_CASE("A command that may run is given up when the bus does not come back, and it is said what to do") {
  World world;
  if (!world.start()) return;
  world.lose_the_answer([&] { world.cancel(); });
  const auto result = world.run({}, 100ms);
  REQUIRE(result);
  REQUIRE(std::holds_alternative<Lost>(result->ending));
  const auto why = std::get<Lost>(result->ending).why;
  CHECK(why.find("it may run, and systemd cannot be asked") != std::string::npos);
  CHECK(why.find("systemctl stop outpost-step@1.service") != std::string::npos);
}

TEST_CASE("A command whose limits are refused once it runs is asked to end, and is seen to") {
  World world;
  if (!world.start()) return;
  world.systemd.limitings_refused_after = 1;
  world.systemd.on_start = [&] {
    world.systemd.tasks = 4096;  // systemd has read its files once more.
    return true;
  };
  const auto result = world.run([](Command& command) { command.limits.tasks = 77; });
  REQUIRE(result.has_error());
  CHECK(result.error().message.find("not now") != std::string::npos);
  REQUIRE_FALSE(world.systemd.signals.empty());
  CHECK(world.systemd.signals.front() == SIGTERM);
  CHECK(world.systemd.active == "inactive");
  CHECK(world.output == "it runs\n");
}

TEST_CASE("A command that waits for systemd is started when that is back, and it is told once") {
  World world;
  if (!world.start()) return;
  world.lose_the_answer([&] {
    world.systemd.on_start = [&] {
      world.systemd.end("ended success exited 0\n");
      return true;
    };
    world.bring_back();
  });
  const auto result = world.run();
  REQUIRE(result);
  CHECK(std::holds_alternative<Exited>(result->ending));
  CHECK(world.systemd.starts == 2);
  REQUIRE(world.log.size() == 1);
  CHECK(world.log.front().find("job-1/test.acme waits for systemd: ") == 0);
}

TEST_CASE("A limit that is wider than that of its unit is told once") {
  World world;
  if (!world.start()) return;
  world.systemd.on_start = [&] {
    world.systemd.end("ended success exited 0\n");
    return true;
  };
  const auto result = world.run([](Command& command) { command.limits.tasks = 20000; });
  REQUIRE(result);
  CHECK(world.systemd.limitings == 0);
  REQUIRE(world.log.size() == 1);
  CHECK(world.log.front().find("outpost-step@1.service: TasksMax=4096 counts, not 20000, which job-1/test.acme asks for") == 0);
}

TEST_CASE("A unit that an agent has left at the limits of a step, and has noted nothing, has its own ones again") {
  World world;
  if (!world.start()) return;
  world.leave_step(77);
  SECTION("and output") {}
  SECTION("and no output any more") { world.slot.close(); }
  const auto result = world.adopt();
  REQUIRE(result);
  CHECK(std::holds_alternative<Exited>(result->ending));
  CHECK(world.systemd.tasks == 4096);
  REQUIRE(world.slot.limits("outpost-step@1.service"));
  CHECK(world.slot.limits("outpost-step@1.service")->to_text() == "ours TasksMax 4096\n");
}

TEST_CASE("What an administrator gives a unit while a step without limits outlives its agent counts") {
  World world;
  if (!world.start()) return;
  world.systemd.on_start = [&] {
    world.systemd.end("ended success exited 0\n");
    return true;
  };
  REQUIRE(world.run());
  world.leave_step(555);
  REQUIRE(world.adopt());
  CHECK(world.systemd.tasks == 555);
  CHECK(world.systemd.limitings == 0);
}

TEST_CASE("What an administrator gives all units counts after limits that systemd did not come to hear of") {
  World world;
  if (!world.start()) return;
  SlotLimits limits;
  limits.note_set({{"TasksMax", 8000}});  // Given back when that was usual.
  world.leave_step(8000);
  REQUIRE(world.slot.note_limits("outpost-step@1.service", limits));
  world.systemd.limitings_refused_after = 0;
  REQUIRE(world.run([](Command& command) { command.limits.tasks = 77; }).has_error());
  CHECK(world.systemd.tasks == 8000);
  world.systemd.limitings_refused_after = 1000;
  world.systemd.on_start = [&] {
    world.systemd.end("ended success exited 0\n");
    return true;
  };
  REQUIRE(world.run());
  CHECK(world.systemd.tasks == 4096);
}
