#include "agent/cli/daemon_call.hpp"

#include "agent/config/load.hpp"
#include "agent/daemon/client.hpp"

#include <iostream>
#include <unistd.h>

namespace outpost::cli {

Result<std::filesystem::path> socket_of(const DaemonOptions& options) {
  if (!options.socket.empty()) return options.socket;
  const auto types = daemon::source_types();
  const auto loaded = config::load(options.config, config::environment_of(environ), types);
  if (!loaded) return Error{Fault::malformed, loaded.error().text()};
  return loaded->settings.runtime_directory / "api.sock";
}

int fail(const Error& error) { return fail(error, error.fault == Fault::unavailable ? exit_no_daemon : exit_negative); }

int fail(const Error& error, int status) {
  // What is wrong with a configuration is several lines that name their file themselves.
  if (status == exit_configuration) std::cerr << error.message;
  else std::cerr << "outpost: " << error.message << "\n";
  return status;
}

}  // namespace outpost::cli
