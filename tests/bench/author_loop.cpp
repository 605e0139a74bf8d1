// What somebody waits for who writes a plugin: new, lint, test, run.
#include "bench/benchmarks.hpp"
#include "bench/child.hpp"
#include "bench/row.hpp"
#include "support/temporary_directory.hpp"

#include <map>

namespace outpost::bench {

void author_loop() {
  constexpr int runs = 5;
  const std::vector<std::string> steps{"new", "lint", "test", "run"};
  std::map<std::string, std::vector<double>> seconds;
  std::vector<double> whole, floor;
  for (int run = 0; run <= runs; ++run) {
    const test::TemporaryDirectory directory;
    const auto plugin = directory.path / "acme";
    double sum = 0;
    for (const auto& step : steps) {
      std::vector<std::string> command{OUTPOST_COMMAND, "plugin", step};
      if (step == "new")
        command.insert(command.end(), {"acme", "--directory", plugin.string()});
      else if (step == "run")
        command.insert(command.end(), {"--plugin", plugin.string()});
      else
        command.push_back(plugin.string());
      const double took = run_child(std::move(command), directory.path / "output");
      if (run > 0) seconds[step].push_back(took);
      sum += took;
    }
    // The same hooks run as often, by themselves: twice each.
    double hooks = 0;
    for (const char* hook : {"install", "test", "install", "test"})
      hooks += run_child({"/usr/bin/env", "OUTPOST_JOB_NAME=bench", "OUTPOST_ATTEMPT=1", "OUTPOST_TIMEOUT=1",
                          "OUTPOST_CONFIG_GREETING=hello", "OUTPOST_SHARED=" + directory.path.string(),
                          "OUTPOST_RESULTS=" + directory.path.string(), (plugin / "hooks" / hook).string()});
    if (run == 0) continue;  // The disk reads.
    whole.push_back(sum);
    floor.push_back(hooks);
  }
  std::string note = "median of " + std::to_string(runs) + ", in bash;";
  for (const auto& step : steps) note += " " + step + " " + format(median(seconds[step]), 2) + " s";
  print({"author_loop", "s", median(whole), median(floor), "ours <= 2", note});
}

}  // namespace outpost::bench
