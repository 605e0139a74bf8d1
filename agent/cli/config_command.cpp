#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/config/check.hpp"
#include "agent/config/load.hpp"
#include "agent/daemon/client.hpp"
#include "agent/daemon/plugin_check.hpp"

#include <iostream>
#include <unistd.h>

namespace outpost::cli {

int check_configuration(const std::filesystem::path& file) {
  const auto types = daemon::source_types();
  const auto loaded = config::load(file, config::environment_of(environ), types);
  if (!loaded) {
    std::cerr << loaded.error().text();
    return exit_configuration;
  }
  const auto problems = config::check(*loaded, config::environment_of(environ));
  const auto of_plugins = daemon::check_plugins(*loaded);
  for (const auto& problem : problems) std::cerr << problem.text() << "\n";
  for (const auto& line : of_plugins) std::cerr << line << "\n";
  if (!problems.empty() || !of_plugins.empty()) return exit_configuration;
  const auto& settings = loaded->settings;
  std::cout << file.string() << ": right; " << settings.sources.size() << " sources, " << settings.jobs.size() << " jobs, " << settings.resources.size()
            << " resources, " << settings.slots << " slots\n";
  return exit_ok;
}

}  // namespace outpost::cli
