#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace outpost::sample {

/// The kinds of properties that the original's JSON schemas are made of.
enum class Kind {
  string,
  non_empty_string,
  uuid,
  email,
  url,
  url_or_empty,
  object,
  array,
  integer,
  boolean,
  number,
  state,
  status,
  limit,
  offset,
  key_value_csv
};

struct Property {
  std::string_view name;
  Kind kind = Kind::string;
  /// JSON that is put in when the property is absent; "null" also allows null.
  std::string_view fallback = {};
  bool nullable = false;
};

struct Schema {
  std::span<const Property> properties;
  std::span<const std::string_view> required = {};
  bool closed = true;  ///< Other properties are refused (creations) or ignored (changes).
  /// Of these exactly one (one_of) or at least one (any_of) must be there.
  std::span<const std::string_view> one_of = {}, any_of = {};
};

extern const Schema list_schema, create_job_schema, schedule_job_schema, update_job_schema, upgrade_job_schema,
    add_component_schema, create_kv_schema, delete_kv_schema, jobstate_schema, create_component_schema,
    update_component_schema, create_topic_schema, update_topic_schema, create_team_schema, update_team_schema,
    teams_ids_schema, create_product_schema, update_product_schema, product_team_schema, create_user_schema,
    update_user_schema, update_current_user_schema, create_feeder_schema, update_feeder_schema, create_remoteci_schema,
    update_remoteci_schema, create_pipeline_schema, update_pipeline_schema, counter_schema;

/// Puts the defaults in, then checks as the original's validator (jsonschema, draft 4) does: all violations at once,
/// sorted by their text, as 400 "Request malformed" with payload {"error","errors"}. A body that is no object breaks
/// the original (500) where the schema has defaults.
void check(const Schema& schema, boost::json::value& instance);

/// check(), then only the properties that the schema knows.
[[nodiscard]] boost::json::object clean(const Schema& schema, boost::json::value instance);

/// A UUID in any form that Python's uuid.UUID() reads (braces, urn:, no dashes, capitals) as 36 lower-case characters.
[[nodiscard]] std::optional<std::string> normal_uuid(std::string_view text);

}  // namespace outpost::sample
