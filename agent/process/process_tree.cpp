#include "agent/process/process_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>

namespace outpost::process {
namespace {

/// The start of a file below `directory`, as text; "" when it cannot be read (the process may just have ended).
std::string read_start(int directory, const char* name) {
  const int file = ::openat(directory, name, O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::array<char, 512> text;
  const auto size = ::read(file, text.data(), text.size());
  ::close(file);
  return {text.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

/// proc(5): pid (comm) state ppid pgrp session ... The name may hold anything, a ")" included.
bool parse_stat(const std::string& stat, Process& process) {
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos) return false;
  char state = 0;
  return std::sscanf(stat.c_str() + name_end + 1, " %c %d %d %d", &state, &process.parent, &process.group,
                     &process.session) == 4;
}

}  // namespace

std::vector<Process> all_processes() {
  std::vector<Process> found;
  DIR* proc = ::opendir("/proc");
  if (!proc) return found;
  const int directory = ::dirfd(proc);
  if (directory < 0) return found;
  while (const dirent* entry = ::readdir(proc)) {
    char* end = nullptr;
    const auto pid = std::strtol(entry->d_name, &end, 10);
    if (pid <= 0 || *end != '\0') continue;
    Process process{.pid = static_cast<pid_t>(pid)};
    if (parse_stat(read_start(directory, (std::string{entry->d_name} + "/stat").c_str()), process))
      found.push_back(process);
  }
  ::closedir(proc);
  return found;
}

bool descends_from(pid_t process, pid_t ancestor) {
  // Numbers of processes that end meanwhile may be given to others: no way is longer than this.
  for (int steps = 0; process > 1 && steps < 10'000; ++steps) {
    if (process == ancestor) return true;
    Process known{.pid = process};
    if (!parse_stat(read_start(AT_FDCWD, ("/proc/" + std::to_string(process) + "/stat").c_str()), known)) return false;
    process = known.parent;
  }
  return false;
}

std::vector<Process> descendants(const std::vector<Process>& all, const std::unordered_set<pid_t>& roots) {
  std::unordered_multimap<pid_t, const Process*> children;
  for (const auto& process : all) children.emplace(process.parent, &process);
  std::vector<Process> found;
  std::unordered_set<pid_t> seen = roots;  // A snapshot that is not atomic might even show a circle.
  std::vector<pid_t> open{roots.begin(), roots.end()};
  while (!open.empty()) {
    const auto [first, last] = children.equal_range(open.back());
    open.pop_back();
    for (auto child = first; child != last; ++child) {
      if (!seen.insert(child->second->pid).second) continue;
      found.push_back(*child->second);
      open.push_back(child->second->pid);
    }
  }
  return found;
}

void signal_all(const std::vector<Process>& processes, int signal) {
  const pid_t own_session = ::getsid(0);
  std::unordered_set<pid_t> groups;
  for (const auto& process : processes) {
    if (process.session == own_session || process.group <= 1)
      ::kill(process.pid, signal);
    else if (groups.insert(process.group).second)
      ::kill(-process.group, signal);
  }
}

void Extermination::pass(const std::vector<Process>& victims) {
  found_new_ = false;
  for (const auto& victim : victims)
    if (stopped_.insert(victim.pid).second) found_new_ = true;
  signal_all(victims, found_new_ ? SIGSTOP : SIGKILL);
}

std::string names_of(const std::vector<Process>& processes) {
  std::string text;
  for (const auto& process : processes) {
    std::string name = read_start(AT_FDCWD, ("/proc/" + std::to_string(process.pid) + "/comm").c_str());
    while (!name.empty() && name.back() == '\n') name.pop_back();
    for (char& byte : name)
      if (byte < ' ' || byte == '\x7f') byte = '?';
    text += (text.empty() ? "" : ", ") + std::to_string(process.pid) + " (" + name + ")";
  }
  return text;
}

}  // namespace outpost::process
