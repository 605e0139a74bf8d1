// What it costs to run a command as the unit of a slot: users, sandbox, limits, output, figures.
#include "agent/process/systemd/systemd_command_runner.hpp"
#include "bench/benchmarks.hpp"
#include "bench/child.hpp"
#include "bench/row.hpp"
#include "support/await.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace outpost::bench {
namespace {

using Milliseconds = std::function<double()>;

/// For a while after somebody was moved into a control group the kernel lets others follow at once; later whoever is first
/// waits until all processors have been somewhere else (cgroup_threadgroup_rwsem, RCU). Steps begin seconds apart, so each
/// start waits.
constexpr std::chrono::milliseconds rest{100};

double plain() { return run_child({"systemctl", "start", "outpost-bench-plain.service"}) * 1e3; }
double same_sandbox() { return run_child({"systemctl", "start", "outpost-bench-sandboxed.service"}) * 1e3; }

/// For as long as it lives this process, root's, is the agent's user, whom polkit has to let start a unit.
class AsAgent {
 public:
  AsAgent() {
    const passwd* agent = ::getpwnam("outpost");
    if (!agent || ::initgroups("outpost", agent->pw_gid) != 0 || ::seteuid(agent->pw_uid) != 0) throw std::runtime_error{"cannot become outpost"};
  }
  ~AsAgent() {
    if (::seteuid(0) != 0) std::abort();
  }
  AsAgent(const AsAgent&) = delete;
  AsAgent& operator=(const AsAgent&) = delete;
};

double by_runner(boost::asio::io_context& loop, process::SystemdCommandRunner& runner) {
  const AsAgent agent;
  process::Command command;
  command.program = "/bin/true";
  command.name = "bench/true";
  const Stopwatch watch;
  process::TextOutput nothing;
  const auto finished = test::await(loop, runner.run(std::move(command), nothing));
  const double whole = watch.milliseconds();
  if (!finished) throw std::runtime_error{finished.error().message};
  const auto* exited = std::get_if<process::Exited>(&finished->ending);
  if (!exited || exited->status != 0) throw std::runtime_error{"/bin/true did not exit 0"};
  return whole;
}

/// In turns of ten, each of which warms up, so that none profits, or suffers, from what another has left the kernel to do.
void in_a_row(std::vector<double>& times, const Milliseconds& once) {
  constexpr int warm_up = 3, count = 10;
  for (int i = 0; i < warm_up + count; ++i) {
    const double time = once();
    if (i >= warm_up) times.push_back(time);
  }
}

std::string spread(const std::vector<double>& ours, const std::vector<double>& floor) {
  return "; p95 " + format(quantile(ours, 0.95)) + ", floor's " + format(quantile(floor, 0.95));
}

}  // namespace

void unit_spawn() {
  constexpr int warm_up = 3, count = 50;
  boost::asio::io_context loop;
  process::SystemdCommandRunner runner{loop.get_executor(), {}};
  const Milliseconds step = [&] { return by_runner(loop, runner); };
  std::vector<double> ours, floor, sandboxed;
  for (int i = 0; i < warm_up + count; ++i) {
    for (const auto& [times, once] : {std::pair{&floor, Milliseconds{plain}}, {&sandboxed, same_sandbox}, {&ours, step}}) {
      std::this_thread::sleep_for(rest);
      const double time = once();
      if (i >= warm_up) times->push_back(time);
    }
  }
  print({"unit_spawn", "ms", median(ours), median(floor), "ratio <= 1.5", "/bin/true, median of 50, each after a rest" + spread(ours, floor)});
  print({"unit_spawn_sandboxed", "ms", median(ours), median(sandboxed), "", "the same against the floor in the same sandbox, made by systemd, as the same user"});
  std::vector<double> ours_in_a_row, floor_in_a_row;
  for (int turn = 0; turn < 10; ++turn) {
    in_a_row(floor_in_a_row, plain);
    in_a_row(ours_in_a_row, step);
  }
  print({"unit_spawn_in_a_row", "ms", median(ours_in_a_row), median(floor_in_a_row), "", "/bin/true, median of 100 without a rest" + spread(ours_in_a_row, floor_in_a_row)});
}

}  // namespace outpost::bench
