#include "samples/control-server/model.hpp"

#include <array>

namespace outpost::sample {
namespace {

constexpr Column id{"id", Type::uuid, "PRIMARY KEY"};
constexpr Column created{"created_at", Type::timestamp, "NOT NULL"};
constexpr Column updated{"updated_at", Type::timestamp, "NOT NULL"};
constexpr Column etag{"etag", Type::string, "NOT NULL"};
constexpr Column state{"state", Type::state, "", "\"active\""};
constexpr Column team{"team_id", Type::uuid, "NOT NULL REFERENCES teams(id) ON DELETE CASCADE"};

constexpr Column team_columns[] = {id,
                                   created,
                                   updated,
                                   etag,
                                   {"name", Type::string, "NOT NULL UNIQUE"},
                                   {"country", Type::string},
                                   state,
                                   {"external", Type::boolean, "", "true"},
                                   {"has_pre_release_access", Type::boolean, "NOT NULL", "false"}};
constexpr Column user_columns[] = {id,
                                   created,
                                   updated,
                                   etag,
                                   {"name", Type::string, "NOT NULL UNIQUE"},
                                   {"sso_username", Type::string, "UNIQUE"},
                                   {"sso_sub", Type::string, "UNIQUE"},
                                   {"fullname", Type::string, "NOT NULL"},
                                   {"email", Type::string, "UNIQUE"},
                                   {"password", Type::text},
                                   {"timezone", Type::string, "NOT NULL", "\"UTC\""},
                                   state};
constexpr Column product_columns[] = {id,
                                      created,
                                      updated,
                                      etag,
                                      {"name", Type::string, "NOT NULL"},
                                      {"label", Type::string, "NOT NULL UNIQUE"},
                                      {"description", Type::text},
                                      state};
constexpr Column topic_columns[] = {id,
                                    created,
                                    updated,
                                    etag,
                                    {"name", Type::string, "NOT NULL UNIQUE"},
                                    {"component_types", Type::list, "", "[]"},
                                    {"component_types_optional", Type::list, "", "[]"},
                                    {"product_id", Type::uuid, "REFERENCES products(id)"},
                                    {"next_topic_id", Type::uuid, "REFERENCES topics(id)"},
                                    {"export_control", Type::boolean, "NOT NULL", "false"},
                                    state,
                                    {"data", Type::object, "", "{}"}};
constexpr Column remoteci_columns[] = {id,
                                       created,
                                       updated,
                                       etag,
                                       {"name", Type::string},
                                       {"data", Type::object, "", "{}"},
                                       {"api_secret", Type::string},
                                       team,
                                       {"public", Type::boolean, "", "false"},
                                       state};
constexpr Column feeder_columns[] = {id,
                                     created,
                                     updated,
                                     etag,
                                     {"name", Type::string, "NOT NULL"},
                                     {"data", Type::object, "", "{}"},
                                     {"api_secret", Type::string},
                                     team,
                                     state};
constexpr Column pipeline_columns[] = {id, created, updated, etag, {"name", Type::string, "NOT NULL"}, team, state};
constexpr Column component_columns[] = {id,
                                        created,
                                        updated,
                                        etag,
                                        {"released_at", Type::timestamp, "NOT NULL"},
                                        {"name", Type::string, "NOT NULL"},
                                        {"display_name", Type::text, "NOT NULL", "\"\""},
                                        {"version", Type::text, "NOT NULL", "\"\""},
                                        {"uid", Type::text, "", "\"\""},
                                        {"type", Type::string, "NOT NULL"},
                                        {"canonical_project_name", Type::text},
                                        {"title", Type::text},
                                        {"message", Type::text},
                                        {"url", Type::text},
                                        {"data", Type::object},
                                        {"tags", Type::array, "", "[]"},
                                        {"topic_id", Type::uuid, "REFERENCES topics(id) ON DELETE CASCADE"},
                                        {"team_id", Type::uuid, "REFERENCES teams(id) ON DELETE CASCADE"},
                                        state};
constexpr Column component_file_columns[] = {
    id,
    created,
    updated,
    etag,
    {"name", Type::string, "NOT NULL"},
    {"mime", Type::text},
    {"md5", Type::string},
    {"size", Type::integer},
    {"component_id", Type::uuid, "REFERENCES components(id) ON DELETE CASCADE"},
    state};
constexpr Column job_columns[] = {id,
                                  created,
                                  updated,
                                  etag,
                                  {"duration", Type::integer, "", "0"},
                                  {"comment", Type::text, "NOT NULL", "\"\""},
                                  {"status_reason", Type::text, "NOT NULL", "\"\""},
                                  {"configuration", Type::text, "NOT NULL", "\"\""},
                                  {"url", Type::text, "NOT NULL", "\"\""},
                                  {"name", Type::text, "NOT NULL", "\"\""},
                                  {"status", Type::status, "", "\"new\""},
                                  {"topic_id", Type::uuid, "REFERENCES topics(id) ON DELETE CASCADE"},
                                  {"remoteci_id", Type::uuid, "NOT NULL REFERENCES remotecis(id) ON DELETE CASCADE"},
                                  team,
                                  {"product_id", Type::uuid, "REFERENCES products(id) ON DELETE CASCADE"},
                                  {"pipeline_id", Type::uuid, "REFERENCES pipelines(id) ON DELETE CASCADE"},
                                  {"user_agent", Type::string},
                                  {"client_version", Type::string},
                                  {"previous_job_id", Type::uuid, "REFERENCES jobs(id)"},
                                  {"update_previous_job_id", Type::uuid, "REFERENCES jobs(id)"},
                                  state,
                                  {"tags", Type::array, "", "[]"},
                                  {"data", Type::object, "", "{}"}};
constexpr Column jobstate_columns[] = {id,
                                       created,
                                       {"status", Type::status, "NOT NULL"},
                                       {"comment", Type::text},
                                       {"job_id", Type::uuid, "NOT NULL REFERENCES jobs(id) ON DELETE CASCADE"}};
constexpr Column file_columns[] = {id,
                                   created,
                                   updated,
                                   etag,
                                   {"name", Type::string, "NOT NULL"},
                                   {"mime", Type::text},
                                   {"md5", Type::string},
                                   {"size", Type::integer},
                                   state,
                                   {"jobstate_id", Type::uuid, "REFERENCES jobstates(id) ON DELETE CASCADE"},
                                   team,
                                   {"job_id", Type::uuid, "REFERENCES jobs(id) ON DELETE CASCADE"}};
constexpr Column result_columns[] = {id,
                                     created,
                                     updated,
                                     {"name", Type::string, "NOT NULL"},
                                     {"total", Type::integer},
                                     {"success", Type::integer},
                                     {"skips", Type::integer},
                                     {"failures", Type::integer},
                                     {"regressions", Type::integer, "", "0"},
                                     {"successfixes", Type::integer, "", "0"},
                                     {"errors", Type::integer},
                                     {"time", Type::integer},
                                     {"job_id", Type::uuid, "NOT NULL REFERENCES jobs(id) ON DELETE CASCADE"},
                                     {"file_id", Type::uuid, "NOT NULL REFERENCES files(id) ON DELETE CASCADE"}};
constexpr Column event_columns[] = {{"id", Type::integer, "PRIMARY KEY AUTOINCREMENT"},
                                    created,
                                    {"job_id", Type::uuid, "NOT NULL"},
                                    {"topic_id", Type::uuid, "NOT NULL"},
                                    {"status", Type::status}};

std::string_view sql_type(Type type) {
  switch (type) {
    case Type::integer:
    case Type::boolean: return "INTEGER";
    case Type::real: return "REAL";
    default: return "TEXT";
  }
}

constexpr std::string_view joins_and_indexes = R"(
CREATE TABLE users_teams (user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE, team_id TEXT REFERENCES teams(id) ON DELETE CASCADE, UNIQUE(user_id, team_id));
CREATE TABLE products_teams (product_id TEXT REFERENCES products(id) ON DELETE CASCADE, team_id TEXT REFERENCES teams(id) ON DELETE CASCADE, PRIMARY KEY(product_id, team_id));
CREATE TABLE jobs_components (job_id TEXT REFERENCES jobs(id) ON DELETE CASCADE, component_id TEXT REFERENCES components(id) ON DELETE CASCADE, PRIMARY KEY(job_id, component_id));
CREATE TABLE users_remotecis (user_id TEXT REFERENCES users(id) ON DELETE CASCADE, remoteci_id TEXT REFERENCES remotecis(id) ON DELETE CASCADE, PRIMARY KEY(user_id, remoteci_id));
CREATE TABLE users_topics (user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE, topic_id TEXT NOT NULL REFERENCES topics(id) ON DELETE CASCADE, PRIMARY KEY(user_id, topic_id));
CREATE TABLE teams_components_access (team_id TEXT REFERENCES teams(id) ON DELETE CASCADE, access_team_id TEXT REFERENCES teams(id) ON DELETE CASCADE, PRIMARY KEY(team_id, access_team_id));
CREATE TABLE jobs_keys_values (job_id TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE, key TEXT NOT NULL, value REAL NOT NULL, PRIMARY KEY(job_id, key, value));
CREATE TABLE counters (name TEXT PRIMARY KEY, sequence INTEGER NOT NULL, etag TEXT NOT NULL);
CREATE TABLE objects (bucket TEXT, key TEXT, size INTEGER, etag TEXT, mime TEXT, modified TEXT, PRIMARY KEY(bucket, key));
CREATE UNIQUE INDEX components_of_all ON components(display_name, topic_id, type, version) WHERE state = 'active' AND team_id IS NULL;
CREATE UNIQUE INDEX components_of_team ON components(display_name, topic_id, type, version, team_id) WHERE state = 'active' AND team_id IS NOT NULL;
CREATE INDEX components_by_type ON components(topic_id, type, created_at);
CREATE INDEX jobs_by_time ON jobs(created_at);
CREATE INDEX jobs_by_remoteci ON jobs(remoteci_id, topic_id, created_at);
CREATE INDEX jobs_by_pipeline ON jobs(pipeline_id);
CREATE INDEX jobs_of_component ON jobs_components(component_id);
CREATE INDEX jobstates_by_job ON jobstates(job_id);
CREATE INDEX files_by_job ON files(job_id, jobstate_id);
CREATE INDEX files_by_jobstate ON files(jobstate_id);
CREATE INDEX results_by_job ON tests_results(job_id, name);
CREATE INDEX results_by_file ON tests_results(file_id);
CREATE INDEX component_files_by_component ON component_files(component_id);
)";

}  // namespace

const Table teams{"teams", "team", team_columns, ""};
const Table users{"users", "user", user_columns, ""};
const Table products{"products", "product", product_columns, ""};
const Table topics{"topics", "topic", topic_columns, ""};
const Table remotecis{"remotecis", "remoteci", remoteci_columns, "UNIQUE(name, team_id)"};
const Table feeders{"feeders", "feeder", feeder_columns, "UNIQUE(name, team_id)"};
const Table pipelines{"pipelines", "pipeline", pipeline_columns, ""};
const Table components{"components", "component", component_columns, ""};
const Table component_files{"component_files", "component_file", component_file_columns, ""};
const Table jobs{"jobs", "job", job_columns, ""};
const Table jobstates{"jobstates", "jobstate", jobstate_columns, ""};
const Table files{"files", "file", file_columns, ""};
const Table tests_results{"tests_results", "tests_result", result_columns, ""};
const Table jobs_events{"jobs_events", "jobs_event", event_columns, ""};

const Column* Table::column(std::string_view column_name) const {
  for (const auto& candidate : columns)
    if (candidate.name == column_name) return &candidate;
  return nullptr;
}

const Table* purgeable_table(std::string_view name) {
  for (const auto* table : {&jobs, &files, &components, &remotecis, &topics, &teams, &products, &users, &feeders})
    if (table->name == name) return table;
  return nullptr;
}

std::string schema_sql() {
  std::string sql;
  for (const auto* table : {&teams, &users, &products, &topics, &remotecis, &feeders, &pipelines, &components,
                            &component_files, &jobs, &jobstates, &files, &tests_results, &jobs_events}) {
    sql += "CREATE TABLE " + std::string{table->name} + " (";
    for (const auto& column : table->columns) {
      if (&column != table->columns.data()) sql += ", ";
      sql += std::string{column.name} + ' ' + std::string{sql_type(column.type)} + ' ' + std::string{column.rule};
    }
    if (!table->rules.empty()) sql += ", " + std::string{table->rules};
    sql += ");\n";
  }
  return sql + std::string{joins_and_indexes};
}

}  // namespace outpost::sample
