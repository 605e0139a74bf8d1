#include "bench/process_status.hpp"

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace outpost::bench {
namespace {

namespace fs = std::filesystem;

fs::path directory_of(pid_t pid) { return "/proc/" + std::to_string(pid); }

/// The number behind "name:" in a file of /proc.
std::uint64_t number_in(const fs::path& path, const std::string& name) {
  std::ifstream file{path};
  for (std::string word; file >> word;) {
    std::uint64_t number = 0;
    if (word == name + ":" && file >> number) return number;
  }
  throw std::runtime_error{path.string() + " says nothing about " + name};
}

}  // namespace

Memory memory_of(pid_t pid) {
  const fs::path status = directory_of(pid) / "status";
  return {number_in(status, "VmRSS") * 1024, number_in(status, "VmHWM") * 1024,
          number_in(directory_of(pid) / "smaps_rollup", "Pss") * 1024};
}

void reset_peak() {
  std::ofstream file{"/proc/self/clear_refs"};
  if (!(file << "5" << std::flush)) throw std::runtime_error{"/proc/self/clear_refs cannot be written"};
}

Threads threads_of(pid_t pid) {
  Threads threads;
  for (const auto& task : fs::directory_iterator{directory_of(pid) / "task"}) {
    ++threads.count;
    threads.wake_ups += number_in(task.path() / "status", "voluntary_ctxt_switches");
  }
  return threads;
}

}  // namespace outpost::bench
