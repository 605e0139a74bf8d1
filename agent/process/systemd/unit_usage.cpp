#include "agent/process/systemd/unit_usage.hpp"

#include "agent/process/systemd/own_cgroup.hpp"

#include <memory>
#include <optional>
#include <system_error>

namespace outpost::process {
namespace {

namespace fs = std::filesystem;

/// The unit's directory below `slice`; units are in slices, and these in others.
std::optional<fs::path> find_below(const fs::path& slice, const std::string& unit) {
  std::error_code error;
  if (fs::is_directory(slice / unit, error)) return slice / unit;
  for (fs::directory_iterator entry{slice, error}, end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() != ".slice" || !entry->is_directory(error)) continue;
    if (auto found = find_below(entry->path(), unit)) return found;
  }
  return std::nullopt;
}

/// As /proc/<pid>/cgroup would say of a process in the unit; "" when it does not run.
std::string memberships_of(const std::string& unit, const fs::path& mounted) {
  std::error_code ignored;
  const fs::path tree = fs::exists(mounted / "cgroup.controllers", ignored) ? mounted : mounted / "systemd";
  const auto found = find_below(tree, unit);
  if (!found) return {};
  const std::string path = "/" + found->lexically_relative(tree).string() + "\n";
  return "0::" + path + "1:name=systemd:" + path + "2:cpuacct:" + path + "3:memory:" + path + "4:pids:" + path;
}

}  // namespace

Probe unit_probe(std::string unit, fs::path mounted) {
  auto group = std::make_shared<std::optional<OwnCgroup>>();
  return [unit = std::move(unit), mounted = std::move(mounted), group]() -> std::optional<Usage> {
    if (!*group) {
      auto memberships = memberships_of(unit, mounted);
      if (memberships.empty()) return std::nullopt;
      group->emplace(std::move(memberships), mounted);
    }
    const auto usage = (*group)->usage();
    if (!usage.cpu_us && !usage.memory) return std::nullopt;
    return usage;
  };
}

}  // namespace outpost::process
