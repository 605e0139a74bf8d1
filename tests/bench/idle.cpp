// What outpostd needs while there is nothing to do.
#include "bench/benchmarks.hpp"
#include "bench/child.hpp"
#include "bench/process_status.hpp"
#include "bench/row.hpp"
#include "bench/settings.hpp"

#include <boost/json/value.hpp>

#include <thread>

namespace outpost::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto settling = 5s;
constexpr auto window = 30s;  ///< As long as the interval of polling: there is one poll in it, more or less.
constexpr double mebibyte = 1024 * 1024;

struct Idleness {
  Memory memory;
  Threads threads;
  double wake_ups_per_second = 0;
};

Idleness watch(pid_t pid) {
  Idleness seen;
  const Threads before = threads_of(pid);
  const Stopwatch stopwatch;
  std::this_thread::sleep_for(window);
  seen.memory = memory_of(pid);  // After a poll: just after it has given its memory back it would be too good.
  seen.threads = threads_of(pid);
  seen.wake_ups_per_second = static_cast<double>(seen.threads.wake_ups - before.wake_ups) / stopwatch.seconds();
  return seen;
}

bool has_polled(test::SampleLab& lab) {
  try {
    return !lab.status().at("sources").at(0).at("last_poll").is_null();
  } catch (const std::exception&) {  // It does not listen yet.
    return false;
  }
}

}  // namespace

void idle() {
  test::SampleLab lab;
  write_settings(lab, "30s");
  lab.start_agent();
  lab.until("the first poll", [&] {
    if (!lab.agent_is_running()) throw std::runtime_error{"outpostd ended: " + lab.agent_log()};
    return has_polled(lab);
  });
  const auto pid = static_cast<pid_t>(lab.status().at("pid").to_number<std::int64_t>());
  test::Process nothing{{(own_program().parent_path() / "outpost-bench-idle").string()},
                        lab.directory.path / "idle.log"};
  lab.until("the idle program", [&] { return !test::read_file(lab.directory.path / "idle.log").empty(); });
  std::this_thread::sleep_for(settling);

  const Memory floor = memory_of(nothing.pid());
  const Threads floor_before = threads_of(nothing.pid());
  const Idleness ours = watch(pid);
  const auto floor_wake_ups = static_cast<double>(threads_of(nothing.pid()).wake_ups - floor_before.wake_ups);
  nothing.signal(SIGTERM);
  nothing.wait();
  lab.stop_agent(SIGTERM);

  const auto in_mib = [](std::uint64_t bytes) { return static_cast<double>(bytes) / mebibyte; };
  print({"idle_resident", "MiB", in_mib(ours.memory.resident), in_mib(floor.resident), "ours <= 16",
         std::to_string(ours.threads.count) + " threads; VmRSS"});
  print({"idle_proportional", "MiB", in_mib(ours.memory.proportional), in_mib(floor.proportional), "",
         "PSS: what the program costs where its libraries are used by others"});
  print({"idle_wake_ups", "1/s", ours.wake_ups_per_second, floor_wake_ups / std::chrono::seconds{window}.count(),
         "ours <= 2", "voluntary context switches of all threads in 30 s, polling every 30 s"});
}

}  // namespace outpost::bench
