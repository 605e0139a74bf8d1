#pragma once

#include <span>
#include <string>
#include <string_view>

namespace outpost::sample {

/// How a column is stored, compared and shown.
enum class Type { uuid, string, text, integer, real, boolean, object, list, array, timestamp, status, state };

struct Column {
  std::string_view name;
  Type type = Type::text;
  std::string_view rule;      ///< SQL after the type.
  std::string_view fallback;  ///< JSON stored when a new row has nothing (or null) here; empty: NULL.
};

/// A resource of the original with the columns it shows. Its singular ("job") is in messages and answers.
struct Table {
  std::string_view name, singular;
  std::span<const Column> columns;
  std::string_view rules;  ///< More SQL: unique constraints.

  [[nodiscard]] const Column* column(std::string_view column_name) const;
};

extern const Table teams, users, products, topics, remotecis, feeders, pipelines, components, component_files, jobs,
    jobstates, files, tests_results, jobs_events;

inline constexpr std::string_view job_statuses[] = {"new",     "pre-run", "running", "post-run",
                                                    "success", "failure", "killed",  "error"};

inline constexpr std::string_view resource_states[] = {"active", "inactive", "archived"};

/// The table behind /api/v1/<name>/purge, or nullptr.
[[nodiscard]] const Table* purgeable_table(std::string_view name);

/// The SQL that lays all tables and indexes of an empty database.
[[nodiscard]] std::string schema_sql();

}  // namespace outpost::sample
