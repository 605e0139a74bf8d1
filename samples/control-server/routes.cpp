#include "samples/control-server/routes.hpp"

#include "agent/base/text.hpp"
#include "samples/control-server/handlers.hpp"

#include <algorithm>

namespace outpost::sample {
namespace {

namespace h = handlers;

struct Route {
  std::string_view method, pattern;
  Handler handler;
};

// <id> matches a UUID, <n> a number, <plural> a resource that can be purged, <path> the rest of the path.
constexpr Route routes[] = {
    {"POST", "/api/v1/jobs", h::create_job},
    {"GET", "/api/v1/jobs", h::list_jobs},
    {"POST", "/api/v1/jobs/schedule", h::schedule_job},
    {"POST", "/api/v1/jobs/upgrade", h::upgrade_job},
    {"POST", "/api/v1/jobs/<id>/update", h::update_job_components},
    {"GET", "/api/v1/jobs/<id>", h::get_job},
    {"PUT", "/api/v1/jobs/<id>", h::put_job},
    {"DELETE", "/api/v1/jobs/<id>", h::delete_job},
    {"GET", "/api/v1/jobs/<id>/components", h::list_job_components},
    {"POST", "/api/v1/jobs/<id>/components", h::add_job_component},
    {"DELETE", "/api/v1/jobs/<id>/components/<id>", h::remove_job_component},
    {"GET", "/api/v1/jobs/<id>/jobstates", h::list_job_jobstates},
    {"GET", "/api/v1/jobs/<id>/files", h::list_job_files},
    {"POST", "/api/v1/jobs/<id>/files", h::broken_post_of_job_files},
    {"GET", "/api/v1/jobs/<id>/results", h::list_job_results},
    {"POST", "/api/v1/jobs/<id>/kv", h::add_job_kv},
    {"DELETE", "/api/v1/jobs/<id>/kv", h::delete_job_kv},
    {"POST", "/api/v1/jobstates", h::create_jobstate},
    {"GET", "/api/v1/jobstates/<id>", h::get_jobstate},
    {"DELETE", "/api/v1/jobstates/<id>", h::delete_jobstate},
    {"GET", "/api/v1/jobs_events/sequence", h::get_jobs_events_sequence},
    {"PUT", "/api/v1/jobs_events/sequence", h::put_jobs_events_sequence},
    {"GET", "/api/v1/jobs_events/<n>", h::list_jobs_events},
    {"DELETE", "/api/v1/jobs_events/<n>", h::delete_jobs_events},
    {"POST", "/api/v1/files", h::create_file},
    {"GET", "/api/v1/files/<id>", h::get_file},
    {"DELETE", "/api/v1/files/<id>", h::delete_file},
    {"GET", "/api/v1/files/<id>/content", h::get_file_content},
    {"GET", "/api/v2/files/<id>/content", h::redirect_to_file},
    {"GET", "/api/v1/files/<id>/junit", h::get_file_junit},
    {"POST", "/api/v1/components", h::create_component},
    {"GET", "/api/v1/components", h::list_components},
    {"GET", "/api/v1/components/<id>", h::get_component},
    {"PUT", "/api/v1/components/<id>", h::put_component},
    {"DELETE", "/api/v1/components/<id>", h::delete_component},
    {"POST", "/api/v1/components/<id>/files", h::create_component_file},
    {"GET", "/api/v1/components/<id>/files", h::list_component_files},
    {"GET", "/api/v1/components/<id>/files/<id>", h::get_component_file},
    {"DELETE", "/api/v1/components/<id>/files/<id>", h::delete_component_file},
    {"GET", "/api/v1/components/<id>/files/<id>/content", h::get_component_file_content},
    {"GET", "/api/v1/components/<id>/files/<path>", h::redirect_to_component_file},
    {"GET", "/api/v2/components/<id>/files/<path>", h::redirect_through_rhdl},
    {"POST", "/api/v1/topics", h::create_topic},
    {"GET", "/api/v1/topics", h::list_topics},
    {"GET", "/api/v1/topics/<id>", h::get_topic},
    {"PUT", "/api/v1/topics/<id>", h::put_topic},
    {"DELETE", "/api/v1/topics/<id>", h::delete_topic},
    {"GET", "/api/v1/topics/<id>/components", h::list_topic_components},
    {"POST", "/api/v1/topics/<id>/notifications", h::subscribe_to_topic},
    {"DELETE", "/api/v1/topics/<id>/notifications", h::unsubscribe_from_topic},
    {"GET", "/api/v1/topics/<id>/notifications/users", h::list_topic_subscribers},
    {"GET", "/api/v1/topics/notifications", h::list_subscribed_topics},
    {"POST", "/api/v1/pipelines", h::create_pipeline},
    {"GET", "/api/v1/pipelines", h::list_pipelines},
    {"GET", "/api/v1/pipelines/<id>", h::get_pipeline},
    {"PUT", "/api/v1/pipelines/<id>", h::put_pipeline},
    {"DELETE", "/api/v1/pipelines/<id>", h::delete_pipeline},
    {"GET", "/api/v1/pipelines/<id>/jobs", h::list_pipeline_jobs},
    {"POST", "/api/v1/remotecis", h::create_remoteci},
    {"GET", "/api/v1/remotecis", h::list_remotecis},
    {"GET", "/api/v1/remotecis/<id>", h::get_remoteci},
    {"PUT", "/api/v1/remotecis/<id>", h::put_remoteci},
    {"DELETE", "/api/v1/remotecis/<id>", h::delete_remoteci},
    {"GET", "/api/v1/remotecis/<id>/data", h::get_remoteci_data},
    {"PUT", "/api/v1/remotecis/<id>/api_secret", h::reset_remoteci_secret},
    {"POST", "/api/v1/remotecis/<id>/users", h::add_remoteci_user},
    {"GET", "/api/v1/remotecis/<id>/users", h::list_remoteci_users},
    {"DELETE", "/api/v1/remotecis/<id>/users/<id>", h::remove_remoteci_user},
    {"POST", "/api/v1/feeders", h::create_feeder},
    {"GET", "/api/v1/feeders", h::list_feeders},
    {"GET", "/api/v1/feeders/<id>", h::get_feeder},
    {"PUT", "/api/v1/feeders/<id>", h::put_feeder},
    {"DELETE", "/api/v1/feeders/<id>", h::delete_feeder},
    {"PUT", "/api/v1/feeders/<id>/api_secret", h::reset_feeder_secret},
    {"POST", "/api/v1/teams", h::create_team},
    {"GET", "/api/v1/teams", h::list_teams},
    {"GET", "/api/v1/teams/<id>", h::get_team},
    {"PUT", "/api/v1/teams/<id>", h::put_team},
    {"DELETE", "/api/v1/teams/<id>", h::delete_team},
    {"GET", "/api/v1/teams/<id>/remotecis", h::list_team_remotecis},
    {"GET", "/api/v1/teams/<id>/products", h::list_team_products},
    {"GET", "/api/v1/teams/<id>/users", h::list_team_users},
    {"POST", "/api/v1/teams/<id>/users/<id>", h::add_team_user},
    {"DELETE", "/api/v1/teams/<id>/users/<id>", h::remove_team_user},
    {"POST", "/api/v1/teams/<id>/permissions/components", h::share_components},
    {"DELETE", "/api/v1/teams/<id>/permissions/components", h::unshare_components},
    {"GET", "/api/v1/teams/<id>/permissions/components", h::list_sharing},
    {"POST", "/api/v1/products", h::create_product},
    {"GET", "/api/v1/products", h::list_products},
    {"GET", "/api/v1/products/<id>", h::get_product},
    {"PUT", "/api/v1/products/<id>", h::put_product},
    {"DELETE", "/api/v1/products/<id>", h::delete_product},
    {"POST", "/api/v1/products/<id>/teams", h::attach_team},
    {"GET", "/api/v1/products/<id>/teams", h::list_product_teams},
    {"DELETE", "/api/v1/products/<id>/teams/<id>", h::detach_team},
    {"GET", "/api/v1/identity", h::get_identity},
    {"PUT", "/api/v1/identity", h::put_identity},
    {"POST", "/api/v1/users", h::create_user},
    {"GET", "/api/v1/users", h::list_users},
    {"GET", "/api/v1/users/me", h::get_me},
    {"GET", "/api/v1/users/<id>", h::get_user},
    {"PUT", "/api/v1/users/<id>", h::put_user},
    {"DELETE", "/api/v1/users/<id>", h::delete_user},
    {"GET", "/api/v1/users/<id>/teams", h::list_user_teams},
    {"GET", "/api/v1/users/<id>/remotecis", h::list_user_remotecis},
    {"GET", "/api/v1/<plural>/purge", h::list_archived},
    {"POST", "/api/v1/<plural>/purge", h::purge_archived},
};

/// What the variable parts matched, or nothing.
std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
  std::vector<std::string> ids;
  for (;;) {
    const auto open = pattern.find('<');
    const auto literal = pattern.substr(0, open);
    if (!path.starts_with(literal)) return {};
    path.remove_prefix(literal.size());
    if (open == std::string_view::npos) {
      if (!path.empty() && path != "/") return {};
      return ids;
    }
    pattern.remove_prefix(open);
    const auto close = pattern.find('>');
    const auto kind = pattern.substr(0, close + 1);
    pattern.remove_prefix(close + 1);
    const auto part = kind == "<path>" ? path : path.substr(0, path.find('/'));
    path.remove_prefix(part.size());
    if (part.empty()) return {};
    if (kind == "<id>") {
      const auto id = normal_uuid(part);
      if (!id) return {};
      ids.push_back(*id);
    } else {
      if (kind == "<plural>" && !purgeable_table(part)) return {};
      if (kind == "<n>" && (part.size() > 9 || part.find_first_not_of("0123456789") != std::string_view::npos))
        return {};
      ids.emplace_back(part);
    }
  }
}

}  // namespace

std::variant<Match, NoRoute> find_route(std::string_view method, std::string_view path) {
  const auto wanted = method == "HEAD" ? std::string_view{"GET"} : method;
  std::vector<std::string> methods;
  bool reads = false;
  for (const auto& route : routes) {
    auto ids = match(route.pattern, path);
    if (!ids) continue;
    if (route.method == wanted) return Match{route.handler, std::move(*ids), route.handler == h::create_file};
    if (std::ranges::find(methods, route.method) == methods.end()) methods.emplace_back(route.method);
    reads = reads || route.method == "GET";
  }
  if (methods.empty()) return NoRoute{{404, {}, {}}};
  if (reads) methods.emplace_back("HEAD");
  methods.emplace_back("OPTIONS");
  return NoRoute{{405, {}, join(methods, ", ")}};
}

}  // namespace outpost::sample
