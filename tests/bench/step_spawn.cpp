// What it costs to run a command with a guardian that takes its whole process tree along.
#include "agent/process/local/local_command_runner.hpp"
#include "bench/benchmarks.hpp"
#include "bench/child.hpp"
#include "bench/row.hpp"
#include "support/await.hpp"

namespace outpost::bench {

void step_spawn() {
  constexpr int warm_up = 20, count = 200;
  const auto guardian = process::find_guardian();
  if (!guardian) throw std::runtime_error{guardian.error().message};
  if (auto reaping = process::become_subreaper(); !reaping) throw std::runtime_error{reaping.error().message};
  process::LocalCommandRunner runner{*guardian};
  boost::asio::io_context loop;
  std::vector<double> ours, floor;
  for (int i = 0; i < warm_up + count; ++i) {
    const double bare = run_child({"/bin/true"}) * 1e3;
    process::Command command;
    command.program = "/bin/true";
    const Stopwatch watch;
    process::TextOutput nothing;
    const auto finished = test::await(loop, runner.run(std::move(command), nothing));
    const double guarded = watch.milliseconds();
    if (!finished) throw std::runtime_error{finished.error().message};
    const auto* exited = std::get_if<process::Exited>(&finished->ending);
    if (!exited || exited->status != 0) throw std::runtime_error{"/bin/true did not exit 0"};
    if (i < warm_up) continue;
    floor.push_back(bare);
    ours.push_back(guarded);
  }
  print(
      {"step_spawn", "ms", median(ours), median(floor), "ratio <= 3",
       "/bin/true, median of 200; p95 " + format(quantile(ours, 0.95)) + ", floor's " + format(quantile(floor, 0.95))});
}

}  // namespace outpost::bench
