#include "agent/process/local/tree_usage.hpp"

#include "agent/process/process_tree.hpp"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace outpost::process {
namespace {

struct Counted {
  std::uint64_t ticks = 0, waited_ticks = 0, pages = 0;
};

/// proc(5): the 14th to 17th field are utime, stime, cutime and cstime, the 24th is rss. The name of the process, which
/// may hold anything, is the 2nd.
std::optional<Counted> counted(pid_t process) {
  std::ifstream file{"/proc/" + std::to_string(process) + "/stat"};
  std::string text;
  std::getline(file, text, '\0');
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields{text.substr(name_end + 1)};
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  std::uint64_t user = 0, system = 0, waited_user = 0, waited_system = 0;
  fields >> user >> system >> waited_user >> waited_system;
  for (int field = 18; field < 24; ++field) fields >> skipped;
  Counted found{.ticks = user + system, .waited_ticks = waited_user + waited_system, .pages = 0};
  if (!(fields >> found.pages)) return std::nullopt;
  return found;
}

}  // namespace

std::optional<Usage> usage_below(pid_t root) {
  const auto below = descendants(all_processes(), {root});
  if (below.empty()) return std::nullopt;
  const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)), page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::uint64_t ticks = 0, pages = 0;
  for (const auto& process : below) {
    const auto found = counted(process.pid);
    if (!found) continue;  // It has just ended.
    ticks += found->ticks + found->waited_ticks;
    pages += found->pages;
  }
  // Those whose parent has gone are the root's, which waits for them.
  if (const auto found = counted(root)) ticks += found->waited_ticks;
  return Usage{.cpu_us = ticks * 1'000'000 / ticks_per_second, .memory = pages * page, .tasks = below.size()};
}

}  // namespace outpost::process
