// outpost resource: the lab machines, who holds them, and keeping jobs away from them.

#include "agent/base/text.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/daemon/client.hpp"
#include "agent/job/event.hpp"

#include <boost/json/serialize.hpp>

#include <iostream>

namespace outpost::cli {

namespace json = boost::json;
using job::text_at;

namespace {

/// {schema, version, resources[{name, held_by, locked, reason, since}]}
json::object resources_in(const json::object& status) {
  json::array rows;
  const auto* resources = status.if_contains("resources");
  const auto* claims = status.if_contains("claims");
  if (resources && resources->is_object()) {
    for (const auto& [name, resource] : resources->get_object()) {
      json::object row{{"name", name}, {"held_by", nullptr}, {"locked", false}, {"reason", ""}, {"since", nullptr}};
      if (resource.is_object() && resource.get_object().contains("held_by")) row["held_by"] = resource.at("held_by");
      if (claims && claims->is_object())
        for (const auto& each : array_at(claims->get_object(), "paused")) {
          if (!each.is_object() || text_at(each.get_object(), "resource") != name) continue;
          row["locked"] = true;
          row["reason"] = text_at(each.get_object(), "reason");
          row["since"] = text_at(each.get_object(), "since");
        }
      rows.push_back(std::move(row));
    }
  }
  return {{"schema", "outpost-resources"}, {"version", 1}, {"resources", std::move(rows)}};
}

}  // namespace

int list_resources(const DaemonOptions& daemon, bool as_json) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto status = daemon::ask_daemon(*socket, "/api/v1/status");
  if (!status) return fail(status.error());
  const auto found = resources_in(status->as_object());
  if (as_json) {
    std::cout << json::serialize(found) << "\n";
    return exit_ok;
  }
  for (const auto& each : array_at(found, "resources")) {
    const auto& row = each.as_object();
    const std::string holder = text_at(row, "held_by"), reason = text_at(row, "reason");
    std::cout << printable(text_at(row, "name")) << "  "
              << (holder.empty() ? "free" : "held by job " + printable(holder))
              << (job::flag_at(row, "locked")
                      ? ", locked since " + text_at(row, "since") + (reason.empty() ? "" : ": " + printable(reason))
                      : "")
              << "\n";
  }
  if (array_at(found, "resources").empty()) std::cout << "no resources are configured\n";
  return exit_ok;
}

}  // namespace outpost::cli
