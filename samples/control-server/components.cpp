// Components (DCI protocol §7).
#include "samples/control-server/handlers.hpp"

#include "agent/base/text.hpp"

#include <algorithm>
#include <cctype>

namespace outpost::sample::handlers {
namespace {

struct Names {
  std::string display_name, version, uid;
};

bool is_sha1(std::string_view text) {
  return text.size() == 40 && std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

/// What the original reads out of a name: "RHEL-10.1-2025", "quay.io/app:v1.2", "App 1.2.3", a commit.
Names names_from(const std::string& name, const std::string& project) {
  const bool commit = is_sha1(name);
  const bool use_project = !project.empty() && (project.find("OpenShift") != std::string::npos ||
                                                project.find(name) != std::string::npos || commit);
  const auto& whole = use_project ? project : name;
  const std::string uid = commit ? name : "";
  for (const std::string_view product : {"RHOS-", "RHEL-"})
    if (const auto at = whole.rfind(product); at != std::string::npos)
      return {whole, whole.substr(at + product.size()), uid};
  if (project.find("OpenShift") != std::string::npos) {
    const auto words = split(project, ' ');
    return {words.size() > 1 ? words[0] + " " + words[1] : project, name, uid};
  }
  for (const char delimiter : {':', '@', ' '}) {
    if (whole.find(delimiter) == std::string::npos) continue;
    const auto at = whole.rfind(delimiter);
    if (commit) return {whole.substr(0, at) + " " + name.substr(0, 7), name, uid};
    return {whole.substr(0, at) + " " + whole.substr(at + 1), whole.substr(at + 1), uid};
  }
  return {whole, "", uid};
}

Response list_of_topics(Call& call, const std::vector<std::string>& topic_ids) {
  auto arguments = call.list_arguments();
  if (arguments.sort.empty()) arguments.sort = {"-released_at"};
  auto where = is_one_of("topic_id", topic_ids);
  const auto& user = call.user;
  if (!user.super_admin && !user.is_feeder() && !user.is_epm()) {
    auto ids = user.team_ids();
    std::ranges::move(teams_that_share(call), std::back_inserter(ids));
    auto mine = is_one_of("team_id", ids);
    mine.sql += " OR team_id IS NULL";
    where.both(mine);
  }
  return list_response("components", call.records.list(components, where, arguments));
}

}  // namespace

Response create_component(Call& call) {
  auto body = call.json_body();
  check(create_component_schema, body);
  auto values = body.as_object();
  add_common_values(values, call.records);
  const auto& user = call.user;
  if (values.contains("team_id")) {
    if (!user.in_team(text_at(values, "team_id"))) throw unauthorized();
  } else if (!user.super_admin && !user.is_feeder() && !user.is_epm()) {
    throw unauthorized();
  }
  values["type"] = to_lower(text_at(values, "type"));
  const auto display_name = text_at(values, "display_name");
  if (!values.contains("name")) values["name"] = display_name;
  const auto derived = names_from(text_at(values, "name"), text_at(values, "canonical_project_name"));
  if (display_name.empty()) values["display_name"] = derived.display_name;
  if (text_at(values, "version").empty()) values["version"] = derived.version;
  if (text_at(values, "uid").empty()) values["uid"] = derived.uid;
  const auto component = call.records.create(components, std::move(values));
  return json_response(201, "component", component, text_at(component, "etag"));
}

Response get_component(Call& call) {
  auto component = call.records.get(components, call.ids.front());
  verify_access_to_component(call, component);
  component["files"] = call.records.select(component_files, equals("component_id", call.ids.front()), "ORDER BY rowid");
  Condition where{"id IN (SELECT job_id FROM jobs_components WHERE component_id = ?) AND state != 'archived'",
                  {call.ids.front()}};
  component["jobs"] = call.records.select(jobs, where.both(own_teams(call)), "ORDER BY rowid");
  const auto etag = text_at(component, "etag");
  return json_response(200, "component", std::move(component), etag);
}

Response put_component(Call& call) {
  const auto etag = call.required_etag();
  const auto component = call.records.get(components, call.ids.front(), etag);
  verify_access_to_component(call, component);
  auto values = clean(update_component_schema, call.json_body());
  values["type"] = to_lower(values.contains("type") ? text_at(values, "type") : text_at(component, "type"));
  call.records.update(components, call.ids.front(), std::move(values));
  const auto changed = call.records.get(components, call.ids.front());
  return json_response(200, "component", changed, text_at(changed, "etag"));
}

Response delete_component(Call& call) {
  const auto etag = call.required_etag();
  const auto component = call.records.get(components, call.ids.front(), etag);
  const auto& user = call.user;
  const auto team = text_at(component, "team_id");
  if (team.empty() ? !user.super_admin && !user.is_feeder() && !user.is_epm() : !user.in_team(team))
    throw unauthorized();
  call.records.update(components, call.ids.front(), {{"state", "archived"}});
  return empty_response(204);
}

Response list_components(Call& call) { return list_of_topics(call, visible_topics(call)); }

Response list_topic_components(Call& call) {
  const auto topic = call.records.get(topics, call.ids.front());
  verify_access_to_topic(call, topic);
  return list_of_topics(call, {text_at(topic, "id")});
}

}  // namespace outpost::sample::handlers
