// outpost-bench NAME: runs one benchmark and writes its rows as lines of JSON. tests/bench/run makes the table of them.
#include "bench/benchmarks.hpp"

#include <csignal>
#include <exception>
#include <functional>
#include <iostream>
#include <map>

int main(int argc, char** argv) {
  using namespace outpost::bench;
  const std::map<std::string, std::function<void()>> benchmarks{
      {"job_overhead", job_overhead},     {"upload_1g", upload_1g},    {"idle", idle},
      {"journal_append", journal_append}, {"step_spawn", step_spawn},  {"redact", redact},
      {"unit_spawn", unit_spawn},
      {"backlog_start", backlog_start},   {"small_files", small_files},
      {"log_ingest", log_ingest},         {"ansible_callback", ansible_callback},
      {"junit_parse", junit_parse},       {"author_loop", author_loop},
      {"hook_overhead", hook_overhead},   {"hook_helper", hook_helper},
      {"command_line", command_line}};
  const std::map<std::string, std::function<int(const std::vector<std::string>&)>> parts{
      {"discard-server", discard_server}, {"upload-once", upload_once}};
  ::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (!arguments.empty() && parts.contains(arguments[0]))
      return parts.at(arguments[0])({arguments.begin() + 1, arguments.end()});
    if (arguments.size() == 1 && benchmarks.contains(arguments[0])) {
      benchmarks.at(arguments[0])();
      return 0;
    }
  } catch (const std::exception& error) {
    std::cerr << "outpost-bench: " << arguments[0] << ": " << error.what() << "\n";
    return 1;
  }
  std::cerr << "usage: outpost-bench NAME, where NAME is one of:";
  for (const auto& [name, run] : benchmarks) std::cerr << " " << name;
  std::cerr << "\n";
  return 2;
}
