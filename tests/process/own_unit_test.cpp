// What systemd says of the unit that we run in, on a bus of the test's own with a systemd that says what it is told.
#include "agent/process/systemd/own_unit.hpp"

#include "support/catch.hpp"
#include "support/private_bus.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdlib>
#include <iostream>
#include <optional>

using namespace outpost;
using namespace outpost::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

constexpr const char* unit_path = "/org/freedesktop/systemd1/unit/outpostd_2eservice";
constexpr const char* job_path = "/org/freedesktop/systemd1/job/1";

/// As far as OwnUnit asks it: one unit, with one job.
struct FakeSystemd {
  explicit FakeSystemd(asio::io_context& loop) : bus{loop.get_executor(), [this](sd_bus* connection) { return offer(connection); }} {}

  asio::awaitable<Result<bus::Message>> join() {
    auto request = bus.method("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", "su", "org.freedesktop.systemd1", std::uint32_t{4});
    auto asking = bus.call(std::move(request));
    co_return co_await std::move(asking);
  }

  std::string job;  ///< "restart", "stop"...; empty: none.
  std::uint64_t stop_usec = 400'000;
  bool answers = true;  ///< To which unit a process belongs.
  bus::Bus bus;

 private:
  int offer(sd_bus* connection);
};

FakeSystemd& fake(void* object) { return *static_cast<FakeSystemd*>(object); }

int unit_by_process(sd_bus_message* call, void* object, sd_bus_error*) { return fake(object).answers ? sd_bus_reply_method_return(call, "o", unit_path) : 1; }
int get_id(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void*, sd_bus_error*) {
  return sd_bus_message_append(reply, "s", "outpostd.service");
}
int get_job(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* object, sd_bus_error*) {
  return fake(object).job.empty() ? sd_bus_message_append(reply, "(uo)", 0U, "/") : sd_bus_message_append(reply, "(uo)", 1U, job_path);
}
int get_job_type(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* object, sd_bus_error*) {
  return sd_bus_message_append(reply, "s", fake(object).job.c_str());
}
int get_stop_limit(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* object, sd_bus_error*) {
  return sd_bus_message_append(reply, "t", fake(object).stop_usec);
}

const sd_bus_vtable manager[] = {SD_BUS_VTABLE_START(0),
                                 SD_BUS_METHOD("GetUnitByPID", "u", "o", unit_by_process, SD_BUS_VTABLE_UNPRIVILEGED),
                                 SD_BUS_VTABLE_END};
const sd_bus_vtable unit[] = {SD_BUS_VTABLE_START(0), SD_BUS_PROPERTY("Id", "s", get_id, 0, 0),
                              SD_BUS_PROPERTY("Job", "(uo)", get_job, 0, 0), SD_BUS_VTABLE_END};
const sd_bus_vtable service[] = {SD_BUS_VTABLE_START(0), SD_BUS_PROPERTY("TimeoutStopUSec", "t", get_stop_limit, 0, 0),
                                 SD_BUS_VTABLE_END};
const sd_bus_vtable job[] = {SD_BUS_VTABLE_START(0), SD_BUS_PROPERTY("JobType", "s", get_job_type, 0, 0),
                             SD_BUS_VTABLE_END};

int FakeSystemd::offer(sd_bus* connection) {
  return test::offer_interfaces(connection, this,
                                {{"/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", manager},
                                 {unit_path, "org.freedesktop.systemd1.Unit", ::unit},
                                 {unit_path, "org.freedesktop.systemd1.Service", service},
                                 {job_path, "org.freedesktop.systemd1.Job", ::job}});
}

/// A service that systemd has started, as far as it can tell.
struct ServiceWorld {
  ServiceWorld() {
    ::setenv("INVOCATION_ID", "0123456789abcdef0123456789abcdef", 1);
    ::setenv("NOTIFY_SOCKET", "/nowhere", 1);
  }
  ~ServiceWorld() {
    for (const char* name : {"INVOCATION_ID", "NOTIFY_SOCKET", "DBUS_SYSTEM_BUS_ADDRESS"}) ::unsetenv(name);
  }
  bool start() {
    if (!bus.is_there()) {
      std::cout << "SKIPPED: what systemd says of a stop: dbus-daemon is missing or does not start (Debian: dbus-daemon)\n";
      return false;
    }
    REQUIRE(run(systemd.join()));
    return true;
  }
  template <class T>
  T run(asio::awaitable<T> work) {
    std::optional<T> outcome;
    asio::co_spawn(loop, std::move(work), [&](std::exception_ptr, T given) {
      outcome = std::move(given);
      loop.stop();
    });
    loop.restart();
    loop.run_for(1min);
    if (!outcome) throw std::runtime_error{"what was waited for did not happen"};
    return std::move(*outcome);
  }

  PrivateBus bus;
  asio::io_context loop;
  FakeSystemd systemd{loop};
  process::OwnUnit own{loop.get_executor()};
};

}  // namespace

TEST_CASE("A stop for a restart is told from another one") {
  ServiceWorld world;
  if (!world.start()) return;
  CHECK(world.run(world.own.is_restarting()) == std::optional{false});
  world.systemd.job = "stop";
  CHECK(world.run(world.own.is_restarting()) == std::optional{false});
  world.systemd.job = "restart";
  CHECK(world.run(world.own.is_restarting()) == std::optional{true});
}

TEST_CASE("Whether it is a restart is asked until the bus is back") {
  ServiceWorld world;
  if (!world.start()) return;
  world.systemd.job = "restart";
  world.bus.stop();
  asio::steady_timer later{world.loop, 300ms};  // Its limit is that of the unit as shipped until systemd has said another.
  later.async_wait([&](const boost::system::error_code&) {
    world.bus.start();
    asio::co_spawn(world.loop, world.systemd.join(), asio::detached);
  });
  CHECK(world.run(world.own.is_restarting()) == std::optional{true});
}

TEST_CASE("It is not known to be a stop when systemd cannot be asked") {
  ServiceWorld world;
  if (!world.start()) return;
  CHECK(world.run(world.own.stop_limit()) == std::optional{400ms});
  world.bus.stop();
  CHECK(world.run(world.own.is_restarting()) == std::nullopt);
  CHECK(world.run(world.own.stop_limit()) == std::optional{400ms});
}

TEST_CASE("A systemd that does not answer is waited for no longer than a stop leaves time for") {
  ServiceWorld world;
  if (!world.start()) return;
  CHECK(world.run(world.own.stop_limit()) == std::optional{400ms});
  world.systemd.answers = false;
  const auto begun = std::chrono::steady_clock::now();
  CHECK(world.run(world.own.is_restarting()) == std::nullopt);
  CHECK(std::chrono::steady_clock::now() - begun < 20s);  // A quarter of the limit; an answer that nobody limits has 25 s.
}
