#include "samples/control-server/schemas.hpp"

namespace outpost::sample {
namespace {

using Name = std::string_view;
constexpr Property state{"state", Kind::state, "\"active\""};

constexpr Property list_properties[] = {
    {"limit", Kind::limit}, {"offset", Kind::offset}, {"sort"}, {"where", Kind::key_value_csv}, {"embed"}, {"query"},
    {"created_after"},      {"updated_after"}};

constexpr Property create_job_properties[] = {{"remoteci_id", Kind::uuid},
                                              {"team_id", Kind::uuid},
                                              {"components", Kind::array},
                                              {"comment", Kind::string, "\"\""},
                                              {"duration", Kind::integer, "0"},
                                              {"previous_job_id", Kind::uuid, "null"},
                                              {"update_previous_job_id", Kind::uuid, "null"},
                                              state,
                                              {"topic_id", Kind::uuid, "null"},
                                              {"tags", Kind::array, "[]"},
                                              {"data", Kind::object, "{}"},
                                              {"status_reason", Kind::string, "\"\""},
                                              {"configuration", Kind::string, "\"\""},
                                              {"name", Kind::string, "\"\""},
                                              {"url", Kind::url_or_empty, "\"\""},
                                              {"pipeline_id", Kind::uuid, "null"}};
constexpr Name create_job_required[] = {"components"};
constexpr Property schedule_properties[] = {{"remoteci_id", Kind::uuid},
                                            {"topic_id", Kind::uuid},
                                            {"components_ids", Kind::array, "[]"},
                                            {"comment", Kind::string, "null"},
                                            {"previous_job_id", Kind::uuid, "null"},
                                            state,
                                            {"tags", Kind::array, "[]"},
                                            {"data", Kind::object, "{}"},
                                            {"configuration", Kind::string, "null"},
                                            {"name", Kind::string, "null"},
                                            {"url", Kind::url, "null"},
                                            {"pipeline_id", Kind::uuid, "null"}};
constexpr Name schedule_required[] = {"topic_id"};
constexpr Property update_job_properties[] = {{"comment"},
                                              {"status", Kind::status},
                                              {"state", Kind::state},
                                              {"tags", Kind::array},
                                              {"status_reason"},
                                              {"configuration"},
                                              {"name"},
                                              {"url", Kind::url_or_empty}};
constexpr Property upgrade_properties[] = {{"job_id", Kind::uuid}};
constexpr Name job_id_required[] = {"job_id"};
constexpr Property component_id_properties[] = {{"id", Kind::uuid}};
constexpr Name id_required[] = {"id"};
constexpr Property kv_properties[] = {{"key"}, {"value", Kind::number}};
constexpr Name kv_required[] = {"key", "value"};
constexpr Name key_required[] = {"key"};
constexpr Property jobstate_properties[] = {{"status"}, {"job_id", Kind::uuid}, {"comment", Kind::string, "null"}};
constexpr Name jobstate_required[] = {"status", "job_id"};

constexpr Property create_component_properties[] = {{"name", Kind::non_empty_string},
                                                    {"title", Kind::string, "\"\""},
                                                    {"message", Kind::string, "\"\""},
                                                    {"canonical_project_name", Kind::string, "\"\""},
                                                    {"display_name", Kind::non_empty_string},
                                                    {"version", Kind::string, "\"\""},
                                                    {"url", Kind::string, "\"\""},
                                                    {"uid", Kind::string, "\"\""},
                                                    {"type"},
                                                    {"topic_id", Kind::uuid},
                                                    {"team_id", Kind::uuid},
                                                    state,
                                                    {"data", Kind::object, "{}"},
                                                    {"tags", Kind::array, "[]"},
                                                    {"released_at"}};
constexpr Name component_required[] = {"type", "topic_id"};
constexpr Name component_names[] = {"name", "display_name"};
constexpr Property update_component_properties[] = {{"name"},
                                                    {"title"},
                                                    {"message"},
                                                    {"canonical_project_name"},
                                                    {"display_name"},
                                                    {"version"},
                                                    {"url"},
                                                    {"type"},
                                                    {"topic_id", Kind::uuid},
                                                    {"state", Kind::state},
                                                    {"data", Kind::object},
                                                    {"tags", Kind::array},
                                                    {"released_at"}};

constexpr Property create_topic_properties[] = {{"name"},
                                                {"data", Kind::object, "{}"},
                                                {"product_id", Kind::uuid},
                                                {"next_topic_id", Kind::uuid, "null"},
                                                state,
                                                {"component_types", Kind::array, "[]"},
                                                {"component_types_optional", Kind::array, "[]"},
                                                {"export_control", Kind::boolean, "false"}};
constexpr Name topic_required[] = {"name", "product_id"};
constexpr Property update_topic_properties[] = {{"name"},
                                                {"data", Kind::object},
                                                {"product_id", Kind::uuid},
                                                {"next_topic_id", Kind::uuid, {}, true},
                                                {"state", Kind::state},
                                                {"component_types", Kind::array},
                                                {"component_types_optional", Kind::array},
                                                {"export_control", Kind::boolean}};

constexpr Property create_team_properties[] = {{"name"},
                                               {"country", Kind::string, "null"},
                                               state,
                                               {"external", Kind::boolean, "false"},
                                               {"has_pre_release_access", Kind::boolean, "false"}};
constexpr Name name_required[] = {"name"};
constexpr Property update_team_properties[] = {{"name"},
                                               {"country", Kind::string, {}, true},
                                               {"state", Kind::state},
                                               {"external", Kind::boolean},
                                               {"has_pre_release_access", Kind::boolean}};
constexpr Property teams_ids_properties[] = {{"teams_ids", Kind::array, "[]"}};
constexpr Property create_product_properties[] = {
    {"name"}, {"label", Kind::string, "null"}, {"description", Kind::string, "null"}, state};
constexpr Property update_product_properties[] = {{"name"}, {"label"}, {"description"}, {"state", Kind::state}};
constexpr Property product_team_properties[] = {{"team_id", Kind::uuid}};
constexpr Name team_id_required[] = {"team_id"};
constexpr Property create_user_properties[] = {
    {"name"}, {"fullname"}, {"email", Kind::email}, {"sso_username"}, {"timezone"}, {"password"}, state};
constexpr Name user_names[] = {"email", "sso_username"};
constexpr Property update_user_properties[] = {{"name"},
                                               {"fullname"},
                                               {"email", Kind::email},
                                               {"timezone"},
                                               {"password"},
                                               {"team_id", Kind::uuid},
                                               {"state", Kind::state}};
constexpr Property current_user_properties[] = {
    {"current_password"}, {"new_password"}, {"fullname"}, {"email", Kind::email}, {"timezone"}};
constexpr Property create_feeder_properties[] = {
    {"name"}, {"team_id", Kind::uuid}, state, {"data", Kind::object, "{}"}};
constexpr Name named_of_team[] = {"name", "team_id"};
constexpr Property update_feeder_properties[] = {
    {"name"}, {"team_id", Kind::uuid}, {"state", Kind::state}, {"data", Kind::object}};
constexpr Property create_remoteci_properties[] = {
    {"name"}, {"team_id", Kind::uuid}, state, {"data", Kind::object, "{}"}, {"public", Kind::boolean, "false"}};
constexpr Property update_remoteci_properties[] = {
    {"name"}, {"team_id", Kind::uuid}, {"state", Kind::state}, {"data", Kind::object}, {"public", Kind::boolean}};
constexpr Property create_pipeline_properties[] = {{"name"}, {"team_id", Kind::uuid}, state};
constexpr Property update_pipeline_properties[] = {{"name"}, state};
constexpr Property counter_properties[] = {{"sequence", Kind::integer}};
constexpr Name sequence_required[] = {"sequence"};

}  // namespace

const Schema list_schema{list_properties};
const Schema create_job_schema{create_job_properties, create_job_required};
const Schema schedule_job_schema{schedule_properties, schedule_required};
const Schema update_job_schema{update_job_properties, {}, false};
const Schema upgrade_job_schema{upgrade_properties, job_id_required};
const Schema add_component_schema{component_id_properties, id_required};
const Schema create_kv_schema{kv_properties, kv_required};
const Schema delete_kv_schema{std::span{kv_properties}.first(1), key_required};
const Schema jobstate_schema{jobstate_properties, jobstate_required};
const Schema create_component_schema{create_component_properties, component_required, true, component_names};
const Schema update_component_schema{update_component_properties, {}, false};
const Schema create_topic_schema{create_topic_properties, topic_required};
const Schema update_topic_schema{update_topic_properties, {}, false};
const Schema create_team_schema{create_team_properties, name_required};
const Schema update_team_schema{update_team_properties, {}, false};
const Schema teams_ids_schema{teams_ids_properties, {}, true};
const Schema create_product_schema{create_product_properties, name_required};
const Schema update_product_schema{update_product_properties, {}, false};
const Schema product_team_schema{product_team_properties, team_id_required};
const Schema create_user_schema{create_user_properties, {}, true, {}, user_names};
const Schema update_user_schema{update_user_properties, {}, false};
const Schema update_current_user_schema{current_user_properties, {}, false};
const Schema create_feeder_schema{create_feeder_properties, named_of_team};
const Schema update_feeder_schema{update_feeder_properties, {}, false};
const Schema create_remoteci_schema{create_remoteci_properties, named_of_team};
const Schema update_remoteci_schema{update_remoteci_properties, {}, false};
const Schema create_pipeline_schema{create_pipeline_properties, named_of_team};
const Schema update_pipeline_schema{update_pipeline_properties, {}, false};
const Schema counter_schema{counter_properties, sequence_required};

}  // namespace outpost::sample
