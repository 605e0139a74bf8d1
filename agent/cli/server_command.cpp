// outpost server: what a control server says, asked directly and not by the daemon.

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/config/load.hpp"
#include "agent/daemon/client.hpp"
#include "agent/daemon/server_view.hpp"
#include "agent/job/event.hpp"

#include <boost/json/serialize.hpp>

#include <unistd.h>
#include <iostream>
#include <optional>

namespace outpost::cli {

namespace json = boost::json;
using About = daemon::ServerQuestion::About;

namespace {

/// The version of what --json prints here: {schema, version, source, ...}.
constexpr int output_version = 1;

/// The source that is meant, or nothing and the exit status.
std::optional<config::Source> source_of(const ServerOptions& options, int& status) {
  const auto loaded = config::load(options.config, config::environment_of(environ), daemon::source_types());
  if (!loaded) {
    std::cerr << loaded.error().text();
    status = exit_configuration;
    return std::nullopt;
  }
  const auto source = daemon::source_named(loaded->settings, options.source);
  if (source) return **source;
  status = fail(source.error(), exit_usage);
  return std::nullopt;
}

int server_failed(const Error& error) {
  return fail({error.fault, printable(error.message)},
              error.fault == Fault::retry_later ? exit_no_server : exit_negative);
}

json::object enveloped(const std::string& schema, const std::string& source) {
  return {{"schema", schema}, {"version", output_version}, {"source", source}};
}

std::string shown(const json::object& row, std::string_view key) {
  const auto* value = row.if_contains(key);
  if (!value || value->is_null()) return "-";
  return printable(value->is_string() ? std::string{value->get_string()} : json::serialize(*value), 200);
}

/// What a person sees of a row, after its id.
std::vector<std::string> columns_of(About about) {
  switch (about) {
    case About::topics: return {"name", "component_types", "next_topic_id"};
    case About::components: return {"type", "display_name", "version", "released_at", "tags"};
    case About::jobs: return {"status", "name", "created_at", "status_reason"};
    default: return {};
  }
}

int list(const ServerOptions& options, About about, const std::string& schema, const std::string& member) {
  int status = exit_ok;
  const auto source = source_of(options, status);
  if (!source) return status;
  const auto rows = daemon::ask_server(
      *source, {.about = about, .topic = options.topic, .type = options.type, .limit = options.limit});
  if (!rows) return server_failed(rows.error());
  if (options.as_json) {
    auto answer = enveloped(schema, source->name);
    answer[member] = *rows;
    std::cout << json::serialize(answer) << "\n";
    return exit_ok;
  }
  for (const auto& each : rows->as_array()) {
    const auto& row = each.as_object();
    std::cout << shown(row, "id");
    for (const auto& column : columns_of(about))
      if (row.contains(column)) std::cout << "  " << shown(row, column);
    std::cout << "\n";
  }
  if (rows->as_array().empty()) std::cout << "none\n";
  return exit_ok;
}

}  // namespace

int ping_server(const ServerOptions& options) {
  int status = exit_ok;
  const auto source = source_of(options, status);
  if (!source) return status;
  const auto answer = daemon::contact_server(*source);
  if (!answer) return server_failed(answer.error());
  if (options.as_json) {
    auto said = enveloped("outpost-server-ping", source->name);
    said["status"] = answer->status;
    said["accepted"] = answer->accepted;
    said["client"] = answer->client;
    said["took_ms"] = answer->took.count();
    said["ahead_seconds"] = answer->ahead ? json::value(answer->ahead->count()) : json::value(nullptr);
    said["error"] = answer->error;
    std::cout << json::serialize(said) << "\n";
  } else if (answer->status != 0) {
    std::cout << source->name << ": " << answer->status << " in " << format_duration(answer->took)
              << (answer->accepted ? ", accepts " + answer->client : "") << "\n";
  }
  if (answer->accepted) return exit_ok;
  if (!options.as_json) std::cerr << "outpost: " << printable(answer->error) << "\n";
  return answer->status == 0 || answer->status >= 500 ? exit_no_server : exit_negative;
}

int show_identity(const ServerOptions& options) {
  int status = exit_ok;
  const auto source = source_of(options, status);
  if (!source) return status;
  const auto identity = daemon::ask_server(*source, {.about = About::identity});
  if (!identity) return server_failed(identity.error());
  if (options.as_json) {
    auto said = enveloped("outpost-server-identity", source->name);
    said["identity"] = *identity;
    std::cout << json::serialize(said) << "\n";
    return exit_ok;
  }
  const auto& row = identity->as_object();
  for (const char* key : {"type", "name", "id", "email"})
    if (row.contains(key))
      std::cout << key << std::string(8 - std::string_view{key}.size(), ' ') << shown(row, key) << "\n";
  const auto* teams = row.if_contains("teams");
  if (teams && teams->is_object())
    for (const auto& [id, team] : teams->get_object())
      std::cout << "team    " << (team.is_object() ? shown(team.get_object(), "team_name") : "-") << "  "
                << printable(std::string{id}, 80) << "\n";
  return exit_ok;
}

int list_topics(const ServerOptions& options) {
  return list(options, About::topics, "outpost-server-topics", "topics");
}
int list_components(const ServerOptions& options) {
  return list(options, About::components, "outpost-server-components", "components");
}
int list_server_jobs(const ServerOptions& options) { return list(options, About::jobs, "outpost-server-jobs", "jobs"); }

}  // namespace outpost::cli
