#include "agent/config/differences.hpp"

#include <algorithm>

namespace outpost::config {
namespace {

template <class Value>
void compare(const std::string& prefix, const std::map<std::string, Value>& old, const std::map<std::string, Value>& wanted,
             std::vector<std::string>& found) {
  for (const auto& [name, value] : wanted) {
    const auto known = old.find(name);
    if (known == old.end()) found.push_back(prefix + name + " (new)");
    else if (known->second != value) found.push_back(prefix + name + " (changed)");
  }
  for (const auto& [name, value] : old)
    if (!wanted.contains(name)) found.push_back(prefix + name + " (removed)");
}

std::map<std::string, Job> by_name(const std::vector<Job>& jobs) {
  std::map<std::string, Job> named;
  for (const auto& job : jobs) named.emplace(job.name, job);
  return named;
}

}  // namespace

std::vector<std::string> differences(const Settings& old, const Settings& wanted) {
  std::vector<std::string> found;
  compare("sources.", old.sources, wanted.sources, found);
  compare("jobs.", by_name(old.jobs), by_name(wanted.jobs), found);
  compare("resources.", old.resources, wanted.resources, found);
  compare("secrets.", old.secrets, wanted.secrets, found);
  compare("promotions.", old.promotions, wanted.promotions, found);
  const auto single = [&found](const char* key, bool same) {
    if (!same) found.push_back(std::string{key} + " (changed)");
  };
  single("slots", old.slots == wanted.slots);
  single("spool", old.spool == wanted.spool);
  single("downloads", old.downloads == wanted.downloads);
  single("alarms", old.alarms == wanted.alarms);
  single("logs", old.logs == wanted.logs);
  single("history", old.history == wanted.history);
  single("disk", old.disk == wanted.disk);
  single("health", old.health_interval == wanted.health_interval);
  single("capabilities", old.capabilities == wanted.capabilities);
  single("metrics", old.otlp == wanted.otlp);
  single("plugins_path", old.plugins_path == wanted.plugins_path);
  return found;
}

}  // namespace outpost::config
