#include "agent/cli/daemon_call.hpp"

#include "agent/base/text.hpp"
#include "agent/config/load.hpp"
#include "agent/daemon/client.hpp"
#include "agent/job/event.hpp"

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
  if (!std::filesystem::exists(options.config, ignored))
    return Error{Fault::malformed, "outpost: there is no configuration " + options.config.string() +
                                       ", so nobody knows where the daemon would be\n"
                                       "  to begin with one: man outpost.yml, or outpost setup --from-dci DIR on a jumphost of DCI's agents\n"
                                       "  if it lies elsewhere: --config FILE; if a daemon runs: --socket PATH, its api.sock\n"};
  return Error{Fault::malformed, loaded.error().text()};
}

const boost::json::array& array_at(const boost::json::object& answer, std::string_view key) {
  static const boost::json::array nothing;
  const auto* value = answer.if_contains(key);
  return value && value->is_array() ? value->get_array() : nothing;
}

Result<std::string> id_of(const std::filesystem::path& socket, const std::string& beginning) {
  constexpr std::size_t looked_through = 1000;
  constexpr std::size_t whole_id = 36;
  if (beginning.size() >= whole_id) return beginning;
  const auto answer = daemon::ask_daemon(socket, "/api/v1/jobs?limit=" + std::to_string(looked_through));
  if (!answer) return answer.error();
  std::vector<std::string> found;
  for (const auto& each : array_at(answer->as_object(), "jobs"))
    if (const auto id = job::text_at(each.as_object(), "job_id"); id.starts_with(beginning)) found.push_back(id);
  if (found.size() == 1) return found.front();
  if (found.empty()) return Error{Fault::refused, "there is no job " + printable(beginning, 80) + " among the newest " + std::to_string(looked_through) + "; see: outpost job list"};
  return Error{Fault::refused, std::to_string(found.size()) + " jobs begin with " + printable(beginning, 80) + ": " + found[0] + ", " + found[1] + "..."};
}

Result<boost::json::value> ask_of_job(const std::filesystem::path& socket, const std::string& beginning) {
  const auto id = id_of(socket, beginning);
  if (!id) return id.error();
  return daemon::ask_daemon(socket, "/api/v1/jobs/" + percent_encode(*id));
}

int fail(const Error& error) { return fail(error, error.fault == Fault::unavailable ? exit_no_daemon : exit_negative); }

int fail(const Error& error, int status) {
  // What is wrong with a configuration is several lines that name their file themselves.
  if (status == exit_configuration) std::cerr << error.message;
  else std::cerr << "outpost: " << error.message << "\n";
  return status;
}

}  // namespace outpost::cli
