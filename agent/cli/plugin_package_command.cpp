#include "agent/base/text.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/shown.hpp"
#include "agent/config/load.hpp"
#include "agent/daemon/client.hpp"
#include "agent/daemon/plugin_package.hpp"

#include <boost/json/array.hpp>

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <system_error>

namespace outpost::cli {
namespace {

/// A machine without a configuration has the places that packages use, and no jobs.
Result<config::Settings> settings_of(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored) && !ignored) return config::Settings{};
  const auto loaded = config::load(file, config::environment_of(environ), daemon::source_types());
  if (!loaded) return Error{Fault::malformed, loaded.error().text()};
  return loaded->settings;
}

Result<std::filesystem::path> place_of(const PluginPackageOptions& options) {
  if (!options.directory.empty()) return options.directory;
  const auto settings = settings_of(options.config);
  if (!settings) return settings.error();
  if (settings->plugins_path.empty())
    return Error{Fault::malformed, "outpost: " + options.config.string() + " has an empty plugins_path\n"};
  return settings->plugins_path.front();
}

/// refused: a job of the configuration names it. malformed: nobody knows, because the configuration is wrong.
Result<void> look_for_users(const PluginPackageOptions& options) {
  const auto settings = settings_of(options.config);
  if (!settings) return settings.error();
  for (const auto& job : settings->jobs)
    if (std::find(job.plugins.begin(), job.plugins.end(), options.name) != job.plugins.end())
      return Error{Fault::refused, "the job " + printable(job.name) + " names " + printable(options.name, 80) +
                                       ": without it, it would end as an error (--force removes it all the same)"};
  return {};
}

int fail_for(const Error& error) {
  return fail(error, error.fault == Fault::malformed ? exit_configuration : exit_negative);
}

/// What programs are told of a package, wherever it is now.
int print_for_programs(const daemon::PluginPackage& package) {
  boost::json::array complaints;
  for (const auto& line : split(package.complaints, '\n'))
    if (!line.empty()) complaints.emplace_back(line);
  print_document("outpost-plugin-package", {{"name", package.name},
                                            {"plugin_version", package.version},
                                            {"path", package.path.string()},
                                            {"digest", package.digest},
                                            {"signature", package.signature.string()},
                                            {"signer", package.signer},
                                            {"replaced", package.replaced},
                                            {"complaints", std::move(complaints)}});
  return exit_ok;
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
  if (options.as_json) return print_for_programs(*packed);
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
  if (options.as_json) return print_for_programs(*package);
  print(*package);
  return exit_ok;
}

int install_plugin(const PluginPackageOptions& options) {
  const auto place = place_of(options);
  if (!place) return fail_for(place.error());
  const auto installed =
      daemon::install_plugin({{options.path, options.signers, options.digest}, *place, options.force});
  if (!installed) return fail(installed.error(), exit_negative);
  if (options.as_json) return print_for_programs(*installed);
  print(*installed);
  std::cout << "  installed  " << printable(installed->path.native());
  if (!installed->replaced.empty()) std::cout << ", in place of " << printable(installed->replaced);
  std::cout << "\n\nname it in a job of outpost.yml, plugins: [" << printable(installed->name)
            << "], then: outpost config check\n";
  return exit_ok;
}

int remove_plugin(const PluginPackageOptions& options) {
  if (!options.force)
    if (const auto free = look_for_users(options); !free) return fail_for(free.error());
  const auto place = place_of(options);
  if (!place) return fail_for(place.error());
  const auto removed = daemon::remove_plugin(options.name, *place);
  if (!removed) return fail(removed.error(), exit_negative);
  if (options.as_json)
    print_document("outpost-plugin-remove", {{"plugin", options.name}, {"path", removed->string()}});
  else
    std::cout << "removed " << printable(removed->native()) << "\n";
  return exit_ok;
}

}  // namespace outpost::cli
