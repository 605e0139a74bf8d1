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
using job::number_at;
using job::text_at;

namespace {

void print_reporter(const json::object& reporter) {
  std::cout << printable(text_at(reporter, "name")) << "  " << (job::flag_at(reporter, "configured") ? "configured" : "NOT configured") << ", "
            << number_at(reporter, "waiting") << " waiting (" << size_at(reporter, "waiting_bytes") << " of files), " << number_at(reporter, "parked")
            << " parked, " << number_at(reporter, "delivered") << " delivered\n";
}

}  // namespace

int list_reporters(const DaemonOptions& daemon, bool as_json) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto answer = daemon::ask_daemon(*socket, "/api/v1/reporters");
  if (!answer) return fail(answer.error());
  if (as_json || !answer->is_object()) {
    print_document("outpost-reporters", answer->as_object());
    return exit_ok;
  }
  const auto* list = answer->get_object().if_contains("reporters");
  if (!list || !list->is_array()) return exit_ok;
  bool dead = false;
  for (const auto& reporter : list->get_array()) {
    if (!reporter.is_object()) continue;
    print_reporter(reporter.get_object());
    dead = dead || !job::flag_at(reporter.get_object(), "configured");
  }
  if (list->get_array().empty()) std::cout << "no reporters\n";
  if (dead) std::cout << "What one that is not configured has not been told is kept until: outpost reporter forget NAME\n";
  return exit_ok;
}

int forget_reporter(const DaemonOptions& daemon, const std::string& name, bool yes, bool as_json) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto answer = daemon::tell_daemon(*socket, "/api/v1/reporters/" + percent_encode(name) + "/forget", {{"drop_waiting", yes}});
  if (!answer) {
    const bool asks = !yes && answer.error().message.find("would be dropped") != std::string::npos;
    return fail(asks ? Error{answer.error().fault, answer.error().message + "; if that is what you want: outpost reporter forget --yes " + printable(name)}
                     : answer.error());
  }
  const auto& told = answer->as_object();
  if (as_json) {
    print_document("outpost-reporter-forget", told);
    return exit_ok;
  }
  std::cout << "forgotten: " << printable(name) << "; dropped " << number_at(told, "dropped") << " items that waited (" << size_at(told, "dropped_bytes")
            << " of files) and " << number_at(told, "parked") << " that were parked\n";
  return exit_ok;
}

int list_parked(const DaemonOptions& daemon, const std::string& name, bool as_json) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto answer = daemon::ask_daemon(*socket, "/api/v1/reporters/" + percent_encode(name) + "/parked");
  if (!answer) return fail(answer.error());
  const auto* list = answer->is_object() ? answer->get_object().if_contains("parked") : nullptr;
  if (as_json || !list || !list->is_array()) {
    print_document("outpost-parked", answer->as_object());
    return exit_ok;
  }
  for (const auto& each : list->get_array()) {
    if (!each.is_object()) continue;
    const auto& item = each.get_object();
    std::cout << printable(text_at(item, "key")) << "  " << size_at(item, "bytes") << ", job " << text_at(item, "job_id") << "\n  "
              << printable(text_at(item, "reason")) << "\n";
  }
  if (list->get_array().empty()) std::cout << "nothing is parked\n";
  else std::cout << "When the reasons are gone: outpost reporter retry " << printable(name) << "\n";
  return exit_ok;
}

int retry_parked(const DaemonOptions& daemon, const std::string& name, const std::vector<std::string>& items, bool as_json) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto answer = daemon::tell_daemon(*socket, "/api/v1/reporters/" + percent_encode(name) + "/retry",
                                          {{"items", json::array(items.begin(), items.end())}});
  if (!answer) return fail(answer.error());
  if (as_json) print_document("outpost-reporter-retry", answer->as_object());
  else std::cout << "sending again: " << number_at(answer->as_object(), "retried") << " items of " << printable(name) << "\n";
  return exit_ok;
}

}  // namespace outpost::cli
