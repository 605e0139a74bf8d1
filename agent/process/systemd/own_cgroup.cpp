#include "agent/process/systemd/own_cgroup.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

namespace outpost::process {
namespace {

namespace fs = std::filesystem;
using Number = std::optional<std::uint64_t>;

/// The number that a file consists of.
Number number_of(const fs::path& file) {
  std::ifstream text{file};
  std::uint64_t number = 0;
  if (!(text >> number)) return std::nullopt;
  return number;
}

/// The number behind a word: "oom_kill 2".
Number number_after(const fs::path& file, std::string_view word) {
  std::ifstream text{file};
  std::string name;
  std::uint64_t number = 0;
  while (text >> name >> number)
    if (name == word) return number;
  return std::nullopt;
}

Number divided(Number number, std::uint64_t divisor) {
  if (number) *number /= divisor;
  return number;
}

/// Version 2: "8:0 rbytes=4096 wbytes=0 rios=1 ...", a line for each device.
void read_io_stat(const fs::path& file, Figures& figures) {
  std::ifstream text{file};
  if (!text) return;
  figures.read_bytes = figures.written_bytes = 0;
  for (std::string word; text >> word;) {
    const auto value = [&word](std::string_view name) -> std::uint64_t {
      return word.starts_with(name) ? std::strtoull(word.c_str() + name.size(), nullptr, 10) : 0;
    };
    *figures.read_bytes += value("rbytes=");
    *figures.written_bytes += value("wbytes=");
  }
}

/// Version 1: "8:0 Read 4096", four or five lines for each device, and "Total 4096".
void read_io_service_bytes(const fs::path& file, Figures& figures) {
  std::ifstream text{file};
  if (!text) return;
  figures.read_bytes = figures.written_bytes = 0;
  for (std::string line; std::getline(text, line);) {
    std::istringstream words{line};
    std::string device, kind;
    std::uint64_t bytes = 0;
    if (!(words >> device >> kind >> bytes)) continue;
    if (kind == "Read") *figures.read_bytes += bytes;
    if (kind == "Write") *figures.written_bytes += bytes;
  }
}

bool names(std::string_view controllers, std::string_view wanted) {
  while (!controllers.empty()) {
    const auto end = controllers.find(',');
    if (controllers.substr(0, end) == wanted) return true;
    controllers.remove_prefix(end == std::string_view::npos ? controllers.size() : end + 1);
  }
  return false;
}

}  // namespace

OwnCgroup::OwnCgroup(std::string memberships, fs::path mounted)
    : memberships_{std::move(memberships)}, mounted_{std::move(mounted)} {}

bool OwnCgroup::is_unified() const { return fs::exists(mounted_ / "cgroup.controllers"); }

/// /proc/self/cgroup, cgroups(7): "number:controllers:path" for each hierarchy; the one of version 2 is "0::path".
fs::path OwnCgroup::path_in(std::string_view controller) const {
  std::istringstream lines{memberships_};
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? !controllers.empty() : !names(controllers, controller)) continue;
    fs::path path = line.substr(second + 1);
    if (path.filename() == ".control") path = path.parent_path();  // Where systemd puts helpers of a delegated unit.
    const std::string folder = controllers.starts_with("name=") ? controllers.substr(5) : controllers;
    const fs::path mount = !controller.empty() ? mounted_ / folder : is_unified() ? mounted_ : mounted_ / "unified";
    return mount / path.relative_path();
  }
  return {};
}

/// Nothing where the controller has no group for us alone: what it counts is others' too.
fs::path OwnCgroup::directory_of(std::string_view controller) const {
  const auto path = path_in(controller), own = path_in("name=systemd");
  return path.filename() == own.filename() ? path : fs::path{};
}

Usage OwnCgroup::usage() const {
  const auto unified = path_in("");
  Usage usage{.cpu_us = number_after(unified / "cpu.stat", "usage_usec"), .memory = {}, .tasks = {}};
  if (is_unified()) {
    usage.memory = number_of(unified / "memory.current");
    usage.tasks = number_of(unified / "pids.current");
    return usage;
  }
  if (!usage.cpu_us) usage.cpu_us = divided(number_of(directory_of("cpuacct") / "cpuacct.usage"), 1000);
  usage.memory = number_of(directory_of("memory") / "memory.usage_in_bytes");
  usage.tasks = number_of(directory_of("pids") / "pids.current");
  return usage;
}

Figures OwnCgroup::figures() const {
  Figures figures;
  const auto unified = path_in("");
  figures.cpu_us = number_after(unified / "cpu.stat", "usage_usec");  // Version 2 counts this without a controller too.
  if (is_unified()) {
    figures.memory_peak = number_of(unified / "memory.peak");
    figures.oom_kills = number_after(unified / "memory.events", "oom_kill");
    figures.tasks_peak = number_of(unified / "pids.peak");
    read_io_stat(unified / "io.stat", figures);
    return figures;
  }
  const auto memory = directory_of("memory");
  if (!figures.cpu_us) figures.cpu_us = divided(number_of(directory_of("cpuacct") / "cpuacct.usage"), 1000);
  figures.memory_peak = number_of(memory / "memory.max_usage_in_bytes");
  figures.oom_kills = number_after(memory / "memory.oom_control", "oom_kill");
  figures.tasks_peak = number_of(directory_of("pids") / "pids.peak");
  read_io_service_bytes(directory_of("blkio") / "blkio.throttle.io_service_bytes_recursive", figures);
  return figures;
}

std::unordered_set<pid_t> OwnCgroup::processes() const {
  std::unordered_set<pid_t> found;
  const auto group = path_in(is_unified() ? "" : "name=systemd");
  std::error_code error;
  const auto read = [&found](const fs::path& directory) {
    std::ifstream file{directory / "cgroup.procs"};
    for (pid_t pid = 0; file >> pid;)
      if (pid > 0) found.insert(pid);
  };
  read(group);
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator entry{group, options, error}, end; !error && entry != end; entry.increment(error))
    if (entry->is_directory(error)) read(entry->path());
  return found;
}

}  // namespace outpost::process
