#include "agent/cli/daemon_call.hpp"

#include "agent/config/load.hpp"
#include "agent/daemon/client.hpp"

#include <iostream>
#include <unistd.h>

namespace outpost::cli {

Result<std::filesystem::path> socket_of(const DaemonOptions& options) {
  if (!options.socket.empty()) return options.socket;
  const auto types = daemon::source_types();
  const auto environment = config::environment_of(environ);
  const auto loaded = config::load(options.config, environment, types);
  if (loaded) return loaded->settings.runtime_directory / "api.sock";
  // A daemon that began with a right one may run all the same.
  const auto socket = config::places_of(options.config, environment).runtime_directory / "api.sock";
  std::error_code ignored;
  if (std::filesystem::is_socket(socket, ignored)) return socket;
  return Error{Fault::malformed, loaded.error().text()};
}

const boost::json::array& array_at(const boost::json::object& answer, std::string_view key) {
  static const boost::json::array nothing;
  const auto* value = answer.if_contains(key);
  return value && value->is_array() ? value->get_array() : nothing;
}

int fail(const Error& error) { return fail(error, error.fault == Fault::unavailable ? exit_no_daemon : exit_negative); }

int fail(const Error& error, int status) {
  // What is wrong with a configuration is several lines that name their file themselves.
  if (status == exit_configuration) std::cerr << error.message;
  else std::cerr << "outpost: " << error.message << "\n";
  return status;
}

}  // namespace outpost::cli
