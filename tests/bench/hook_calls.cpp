// What one more hook costs a job, and what a hook pays for one call of outpost-hook.
#include "agent/process/local/local_command_runner.hpp"
#include "bench/benchmarks.hpp"
#include "bench/child.hpp"
#include "bench/row.hpp"
#include "support/await.hpp"
#include "support/temporary_directory.hpp"

#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace outpost::bench {
namespace {

namespace fs = std::filesystem;

/// A plugin and a job of it, which needs no server.
struct Bench {
  void hook(const std::string& name, const std::string& script) const {
    const auto path = directory.path / "plugins/acme/hooks" / name;
    test::write_file(path, script);
    fs::permissions(path, fs::perms::owner_all);
  }
  /// Seconds from the start of `outpost job run` to its end.
  [[nodiscard]] double run() {
    test::write_file(directory.path / "job.yml", "{name: bench, plugins: [acme], plugins_path: [plugins]}\n");
    return run_child({OUTPOST_COMMAND, "job", "run", "--directory", (directory.path / std::to_string(++runs_)).string(), (directory.path / "job.yml").string()});
  }
  test::TemporaryDirectory directory;

 private:
  int runs_ = 0;
};

/// Milliseconds from the start to the end of a command that a guardian takes along.
double spawn(process::LocalCommandRunner& runner, const fs::path& program) {
  boost::asio::io_context loop;
  process::Command command;
  command.program = program;
  process::TextOutput nothing;
  const Stopwatch watch;
  const auto finished = test::await(loop, runner.run(std::move(command), nothing));
  const double took = watch.milliseconds();
  if (!finished) throw std::runtime_error{finished.error().message};
  return took;
}

}  // namespace

void hook_overhead() {
  constexpr int rounds = 15, more = 50;
  const std::string script = "#!/bin/true\n";
  Bench few, many;
  few.hook("test.d/00", script);
  for (int number = 0; number <= more; ++number) many.hook("test.d/" + std::to_string(100 + number), script);
  const auto guardian = process::find_guardian();
  if (!guardian) throw std::runtime_error{guardian.error().message};
  if (auto reaping = process::become_subreaper(); !reaping) throw std::runtime_error{reaping.error().message};
  process::LocalCommandRunner runner{*guardian};
  std::vector<double> ours, floor, extra;
  for (int round = 0; round <= rounds; ++round) {
    const double one = few.run();
    const double all = many.run();
    std::vector<double> spawns;
    for (int number = 0; number < more; ++number) spawns.push_back(spawn(runner, few.directory.path / "plugins/acme/hooks/test.d/00"));
    if (round == 0) continue;  // The disk reads.
    ours.push_back((all - one) * 1e3 / more);
    floor.push_back(median(spawns));
    extra.push_back(ours.back() - floor.back());
  }
  print({"hook_overhead", "ms", median(ours), median(floor), "ours - floor <= 3",
         "a no-op hook more in a job, median of " + std::to_string(rounds) + " with " + std::to_string(more) + " of them; above the floor " + format(median(extra), 2)});
}

void hook_helper() {
  constexpr int rounds = 5, calls = 200;
  std::map<std::string, std::vector<double>> milliseconds;
  const std::vector<std::pair<std::string, std::string>> commands{
      {"note", "outpost-hook note 'the array is back'"}, {"status", "outpost-hook status busy"}, {"true", "/bin/true"}};
  for (int round = 0; round <= rounds; ++round) {
    Bench bench;
    std::string script = "#!/bin/bash\nset -e\n";
    for (const auto& [name, command] : commands)
      script += "begin=${EPOCHREALTIME/./}\nfor ((i = 0; i < " + std::to_string(calls) + "; ++i)); do " + command + "; done\necho $((${EPOCHREALTIME/./} - begin)) >" +
                (bench.directory.path / name).string() + "\n";
    bench.hook("test", script);
    static_cast<void>(bench.run());
    for (const auto& [name, command] : commands)
      if (round > 0) milliseconds[name].push_back(std::stod(test::read_file(bench.directory.path / name)) / 1e3 / calls);
  }
  const double floor = median(milliseconds["true"]);
  print({"hook_helper", "ms", median(milliseconds["note"]), floor, "ours <= 3", "outpost-hook note, answered when it is in the journal; of bash, median of " + std::to_string(rounds) + " x " + std::to_string(calls)});
  print({"hook_helper_status", "ms", median(milliseconds["status"]), floor, "ours <= 3", "outpost-hook status, which is only shown"});
}

}  // namespace outpost::bench
