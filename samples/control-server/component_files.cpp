// Files of components: the old ones behind ids, and those by path, which are redirected to the object store (§7).
#include "samples/control-server/handlers.hpp"

#include "agent/base/text.hpp"

#include <algorithm>

namespace outpost::sample::handlers {
namespace {

json::object readable_component(Call& call) {
  auto component = call.records.get(components, call.ids.front());
  verify_access_to_component(call, component);
  return component;
}

}  // namespace

std::string component_file_key(const json::object& component, const std::string& file) {
  return text_at(component, "topic_id") + "/" + text_at(component, "id") + "/" + file;
}

Response create_component_file(Call& call) {
  const auto component = readable_component(call);
  const auto visible = visible_topics(call);
  if (std::ranges::find(visible, text_at(component, "topic_id")) == visible.end()) throw unauthorized();
  if (call.body_too_large) throw PageError{413, {}, {}};
  const auto id = new_uuid();
  const auto stored =
      call.objects.put("dci-components", component_file_key(component, id), call.body, "binary/octet-stream");
  auto file = call.records.create(component_files, {{"md5", nullptr},
                                                    {"mime", stored.mime},
                                                    {"component_id", component.at("id")},
                                                    {"name", id},
                                                    {"id", id},
                                                    {"created_at", call.records.now()},
                                                    {"etag", "\"" + stored.etag + "\""},
                                                    {"size", static_cast<std::int64_t>(stored.size)}});
  return json_response(201, "component_file", std::move(file));
}

Response list_component_files(Call& call) {
  const auto component = readable_component(call);
  return list_response("component_files",
                       call.records.list(component_files, equals("component_id", text_at(component, "id")),
                                         call.list_arguments(), false));
}

Response get_component_file(Call& call) {
  readable_component(call);
  return json_response(200, "component_file", call.records.get(component_files, call.ids[1]));
}

Response get_component_file_content(Call& call) {
  const auto component = readable_component(call);
  const auto file = call.records.get(component_files, call.ids[1]);
  return chunked_file(call.objects.path_of("dci-components", component_file_key(component, call.ids[1])),
                      text_at(file, "mime"));
}

Response delete_component_file(Call& call) {
  const auto etag = call.required_etag();
  const auto component = call.records.get(components, call.ids[0]);
  const auto& user = call.user;
  const auto team = text_at(component, "team_id");
  if (team.empty() ? !user.super_admin && !user.is_feeder() && !user.is_epm() : !user.in_team(team))
    throw unauthorized();
  call.records.get(component_files, call.ids[1], etag);
  call.records.update(component_files, call.ids[1], {{"state", "archived"}});
  return empty_response(204);
}

/// The original goes through another service (RHDL) for components that say so. There is none here, and it fails as a
/// service that cannot be reached does.
Response redirect_through_rhdl(Call& call) {
  readable_component(call);
  throw PageError{500, {}, {}};
}

Response redirect_to_component_file(Call& call) {
  const auto component = readable_component(call);
  const auto& path = call.ids[1];
  if (!is_plain_key(path)) throw ApiError{400, "Request malformed: filepath is invalid", {}};
  const auto& tags = component.at("tags").as_array();
  if (std::ranges::find(tags, json::value("rhdl")) != tags.end()) return redirect_through_rhdl(call);
  auto response = empty_response(302);
  // Whether the object exists is not looked at: that is the store's 404.
  response.headers.add("Location", call.objects.presigned_url(call.request.method, call.request, "dci-components",
                                                              call.ids[0] + "/" + path));
  return response;
}

}  // namespace outpost::sample::handlers
