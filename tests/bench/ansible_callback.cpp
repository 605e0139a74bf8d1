// What it costs a play that its tasks are reported one by one.
#include "bench/benchmarks.hpp"
#include "bench/child.hpp"
#include "bench/row.hpp"
#include "support/temporary_directory.hpp"

#include <stdexcept>

namespace outpost::bench {

void ansible_callback() {
  constexpr int tasks = 100, runs = 5;
  test::TemporaryDirectory directory;
  std::string playbook = "---\n- hosts: localhost\n  gather_facts: false\n  tasks:\n";
  for (int task = 0; task < tasks; ++task) playbook += "    - {name: task " + std::to_string(task) + ", debug: {msg: hello}}\n";
  test::write_file(directory.path / "play.yml", playbook);
  const auto report = directory.path / "tasks.jsonl";
  const auto play = [&](bool reported) {
    std::vector<std::string> command{"/usr/bin/env", "ANSIBLE_LOCALHOST_WARNING=0"};
    if (reported) {
      command.push_back("ANSIBLE_CALLBACK_PLUGINS=" OUTPOST_SOURCE_DIR "/plugins/ansible/callback");
      command.push_back("OUTPOST_ANSIBLE_TASKS=" + report.string());
    }
    for (const char* word : {"ansible-playbook", "-i", "localhost,", "-c", "local"}) command.emplace_back(word);
    command.push_back((directory.path / "play.yml").string());
    return run_child(std::move(command), directory.path / "output");
  };
  std::vector<double> ours, floor;
  for (int run = 0; run <= runs; ++run) {
    const double bare = play(false), with = play(true);
    if (run == 0) continue;  // Python compiles, the disk reads.
    floor.push_back(bare);
    ours.push_back(with);
  }
  if (test::read_file(report).find("TASK [task 99]") == std::string::npos) throw std::runtime_error{"the callback has reported nothing"};
  print({"ansible_callback", "s", median(ours), median(floor), "ratio <= 1.1",
         std::to_string(tasks) + " debug tasks, median of " + std::to_string(runs) + "; " +
             format((median(ours) - median(floor)) / tasks * 1e3, 2) + " ms per task"});
}

}  // namespace outpost::bench
