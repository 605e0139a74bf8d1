#include "agent/base/text.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/shown.hpp"
#include "agent/daemon/client.hpp"
#include "agent/job/event.hpp"

#include <boost/json/array.hpp>

#include <iostream>

namespace outpost::cli {

namespace json = boost::json;
using job::text_at;

namespace {

Result<json::array> alarms_of(const std::filesystem::path& socket) {
  const auto status = daemon::ask_daemon(socket, "/api/v1/status");
  if (!status) return status.error();
  const auto* alarms = status->is_object() ? status->get_object().if_contains("alarms") : nullptr;
  return alarms && alarms->is_array() ? alarms->get_array() : json::array{};
}

}  // namespace

int list_alarms(const DaemonOptions& daemon, bool as_json) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto alarms = alarms_of(*socket);
  if (!alarms) return fail(alarms.error());
  if (as_json) {
    print_document("outpost-alarms", {{"alarms", *alarms}});
    return exit_ok;
  }
  for (const auto& each : *alarms) {
    if (!each.is_object()) continue;
    const auto& alarm = each.get_object();
    std::cout << printable(text_at(alarm, "key")) << "  " << text_at(alarm, "kind") << " since " << text_at(alarm, "since") << "\n  "
              << printable(text_at(alarm, "message")) << "\n";
    if (const auto fix = text_at(alarm, "fix"); !fix.empty()) std::cout << "  to do: " << printable(fix) << "\n";
  }
  if (alarms->empty()) std::cout << "no alarms\n";
  return exit_ok;
}

int acknowledge_alarms(const DaemonOptions& daemon, std::vector<std::string> keys, bool as_json) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  if (keys.empty()) {
    const auto alarms = alarms_of(*socket);
    if (!alarms) return fail(alarms.error());
    for (const auto& alarm : *alarms)
      if (alarm.is_object()) keys.push_back(text_at(alarm.get_object(), "key"));
    if (keys.empty() && !as_json) std::cout << "no alarms\n";
  }
  int status = exit_ok;
  json::array acknowledged;
  for (const auto& key : keys) {
    const auto answer = daemon::tell_daemon(*socket, "/api/v1/alarms/acknowledge", {{"key", key}});
    if (!answer) status = fail(answer.error());
    else if (as_json) acknowledged.emplace_back(key);
    else std::cout << "acknowledged: " << printable(key) << "\n";
  }
  if (as_json) print_document("outpost-alarm-ack", {{"acknowledged", std::move(acknowledged)}});
  return status;
}

}  // namespace outpost::cli
