// What it costs to run a command as the unit of a slot: users, sandbox, limits, output, figures.
#include "agent/process/systemd/systemd_command_runner.hpp"
#include "bench/benchmarks.hpp"
#include "bench/child.hpp"
#include "bench/row.hpp"
#include "support/await.hpp"

#include <stdexcept>

namespace outpost::bench {

void unit_spawn() {
  constexpr int warm_up = 5, count = 100;
  boost::asio::io_context loop;
  process::SystemdCommandRunner runner{loop.get_executor(), {}};
  std::vector<double> ours, floor, sandboxed;
  for (int i = 0; i < warm_up + count; ++i) {
    const double plain = run_child({"systemctl", "start", "outpost-bench-plain.service"}) * 1e3;
    const double same_sandbox = run_child({"systemctl", "start", "outpost-bench-sandboxed.service"}) * 1e3;
    process::Command command;
    command.program = "/bin/true";
    command.name = "bench/" + std::to_string(i);
    const Stopwatch watch;
    process::TextOutput nothing;
    const auto finished = test::await(loop, runner.run(std::move(command), nothing));
    const double whole = watch.milliseconds();
    if (!finished) throw std::runtime_error{finished.error().message};
    const auto* exited = std::get_if<process::Exited>(&finished->ending);
    if (!exited || exited->status != 0) throw std::runtime_error{"/bin/true did not exit 0"};
    if (i < warm_up) continue;
    floor.push_back(plain);
    sandboxed.push_back(same_sandbox);
    ours.push_back(whole);
  }
  print({"unit_spawn", "ms", median(ours), median(floor), "ratio <= 1.5",
         "/bin/true, median of 100; p95 " + format(quantile(ours, 0.95)) + ", floor's " + format(quantile(floor, 0.95))});
  print({"unit_spawn_sandboxed", "ms", median(ours), median(sandboxed), "", "the same against the floor in the same sandbox, as the same user"});
}

}  // namespace outpost::bench
