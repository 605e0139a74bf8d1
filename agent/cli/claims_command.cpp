// pause, resume and drain: whether the daemon claims jobs.

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/shown.hpp"
#include "agent/daemon/client.hpp"
#include "agent/job/event.hpp"


#include <algorithm>
#include <chrono>
#include <iostream>
#include <optional>
#include <thread>

namespace outpost::cli {

namespace json = boost::json;
using job::text_at;
using namespace std::chrono_literals;

namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr auto look_again = 500ms;

const json::object& claims_in(const json::value& answer) { return answer.at("claims").as_object(); }

std::string with_reason(const json::object& said) {
  const std::string reason = text_at(said, "reason");
  return reason.empty() ? "" : ": " + printable(reason);
}

void print_paused(const json::object& claims) {
  for (const auto& each : claims.at("paused").as_array()) {
    const auto& pause = each.as_object();
    const std::string source = text_at(pause, "source"), resource = text_at(pause, "resource");
    const std::string what = !source.empty() ? "source " + source : !resource.empty() ? "resource " + resource : "everything";
    std::cout << "paused: " << printable(what) << with_reason(pause) << "\n";
  }
}

void print_claims(const json::object& claims, bool as_json) {
  if (as_json) {
    print_document("outpost-claims", claims);
    return;
  }
  const std::string state = text_at(claims, "state");
  const auto running = job::number_at(claims, "running");
  if (state == "drained") std::cout << "drained: no job runs, nothing more is claimed\n";
  else if (state == "draining") std::cout << "draining: " << running << (running == 1 ? " job still runs" : " jobs still run") << ", nothing more is claimed\n";
  else if (state == "closed") std::cout << "nothing is claimed" << with_reason(claims) << "\n";
  else if (state == "unhealthy") std::cout << "unhealthy, nothing is claimed" << with_reason(claims) << "\n";
  else if (state == "open") std::cout << "jobs are claimed\n";
  print_paused(claims);
}

/// Waits for the end of a drain that this command has asked for.
int wait_until_drained(const std::filesystem::path& socket, std::optional<SteadyClock::time_point> give_up, const std::string& begun, bool as_json) {
  for (;;) {
    const auto answer = daemon::ask_daemon(socket, "/api/v1/claims");
    if (!answer) return fail(answer.error());
    const auto& claims = claims_in(*answer);
    const std::string state = text_at(claims, "state");
    if (state == "drained" || (state != "draining" && text_at(claims, "since") != begun)) print_claims(claims, as_json);
    if (state == "drained") return exit_ok;
    if (state != "draining" || text_at(claims, "since") != begun)
      return fail(Error{Fault::refused, "the drain was ended before the last job had: by outpost resume, or the daemon was restarted"});
    const auto now = SteadyClock::now();
    if (give_up && now >= *give_up) {
      print_claims(claims, as_json);
      return fail(Error{Fault::refused, "jobs still run; the drain goes on (outpost resume ends it)"});
    }
    const SteadyClock::duration pause = look_again;
    std::this_thread::sleep_for(give_up ? std::min(pause, *give_up - now) : pause);
  }
}

int steer(const DaemonOptions& daemon, const std::string& path, json::object body, bool as_json) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto answer = daemon::tell_daemon(*socket, path, std::move(body));
  if (!answer) return fail(answer.error());
  print_claims(claims_in(*answer), as_json);
  return exit_ok;
}

json::object scope_of(const ClaimsOptions& options) { return {{"source", options.source}, {"resource", options.resource}}; }

}  // namespace

int pause_claims(const DaemonOptions& daemon, const ClaimsOptions& options) {
  json::object body = scope_of(options);
  body["reason"] = options.reason;
  return steer(daemon, "/api/v1/pause", std::move(body), options.as_json);
}

int resume_claims(const DaemonOptions& daemon, const ClaimsOptions& options) {
  json::object body = scope_of(options);
  body["all"] = options.all;
  return steer(daemon, "/api/v1/resume", std::move(body), options.as_json);
}

int drain(const DaemonOptions& daemon, const ClaimsOptions& options) {
  std::optional<SteadyClock::time_point> give_up;
  if (!options.timeout.empty()) {
    const auto limit = parse_duration(options.timeout);
    if (!limit) return fail(Error{Fault::malformed, "--timeout: \"" + printable(options.timeout) + "\" is not a duration (example: 2h)"}, exit_usage);
    give_up = SteadyClock::now() + *limit;
  }
  if (!options.wait && !give_up) return steer(daemon, "/api/v1/drain", {{"reason", options.reason}}, options.as_json);
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto answer = daemon::tell_daemon(*socket, "/api/v1/drain", {{"reason", options.reason}});
  if (!answer) return fail(answer.error());
  const auto& claims = claims_in(*answer);
  if (!options.as_json && text_at(claims, "state") == "draining") print_claims(claims, false);
  std::cout.flush();
  return wait_until_drained(*socket, give_up, text_at(claims, "since"), options.as_json);
}

}  // namespace outpost::cli
