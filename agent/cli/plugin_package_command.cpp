#include "agent/base/text.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/config/load.hpp"
#include "agent/daemon/client.hpp"
#include "agent/daemon/plugin_package.hpp"

#include <unistd.h>

#include <algorithm>
#include <iostream>

namespace outpost::cli {
namespace {

/// A machine without a configuration has the places that packages use, and no jobs.
config::Settings settings_of(const std::filesystem::path& file) {
  const auto loaded = config::load(file, config::environment_of(environ), daemon::source_types());
  return loaded ? loaded->settings : config::Settings{};
}

std::filesystem::path place_of(const PluginPackageOptions& options, const config::Settings& settings) {
  return options.directory.empty() ? settings.plugins_path.front() : options.directory;
}

void print(const daemon::PluginPackage& package) {
  std::cerr << package.complaints;
  std::cout << printable(package.name) << " " << printable(package.version) << "\n  digest     " << package.digest
            << "\n";
  if (!package.signer.empty())
    std::cout << "  signed by  " << printable(package.signer) << "\n";
  else if (!package.signature.empty())
    std::cout << "  signature  " << printable(package.signature.native()) << ", not looked at (--signers)\n";
}

}  // namespace

int pack_plugin(const PluginPackageOptions& options) {
  const auto packed = daemon::pack_plugin({options.path, options.output, options.sign_with});
  if (!packed) return fail(packed.error(), exit_negative);
  std::cerr << packed->complaints;
  std::cout << packed->path.string() << "\n";
  if (!packed->signature.empty()) std::cout << packed->signature.string() << "\n";
  std::cout << "\n"
            << printable(packed->name) << " " << printable(packed->version) << ", digest " << packed->digest << "\n";
  return exit_ok;
}

int verify_plugin(const PluginPackageOptions& options) {
  const auto package = daemon::verify_plugin({options.path, options.signers, options.digest});
  if (!package) return fail(package.error(), exit_negative);
  print(*package);
  return exit_ok;
}

int install_plugin(const PluginPackageOptions& options) {
  const auto place = place_of(options, settings_of(options.config));
  const auto installed =
      daemon::install_plugin({{options.path, options.signers, options.digest}, place, options.force});
  if (!installed) return fail(installed.error(), exit_negative);
  print(*installed);
  std::cout << "  installed  " << printable(installed->path.native())
            << "\n\nname it in a job of outpost.yml, plugins: [" << printable(installed->name)
            << "], then: outpost config check\n";
  return exit_ok;
}

int remove_plugin(const PluginPackageOptions& options) {
  const auto settings = settings_of(options.config);
  for (const auto& job : settings.jobs)
    if (std::find(job.plugins.begin(), job.plugins.end(), options.name) != job.plugins.end() && !options.force)
      return fail({Fault::refused, "the job " + printable(job.name) + " names " + printable(options.name, 80) +
                                       ": without it, it would end as an error (--force removes it all the same)"},
                  exit_negative);
  const auto removed = daemon::remove_plugin(options.name, place_of(options, settings));
  if (!removed) return fail(removed.error(), exit_negative);
  std::cout << "removed " << printable(removed->native()) << "\n";
  return exit_ok;
}

}  // namespace outpost::cli
