#include "samples/dlrn-server/graphql.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/hash.hpp"
#include "agent/job/event.hpp"
#include "samples/dlrn-server/answers.hpp"
#include "samples/dlrn-server/graphql_query.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <functional>
#include <set>

namespace outpost::sample_builder {
namespace {

namespace json = boost::json;
using Rows = std::vector<json::object>;

enum class Kind { text, number, truth, flag_of_last, where };

/// A list that can be asked for: what its rows are called, how it can be narrowed, and all of its rows, newest first.
struct Table {
  std::string_view type;
  std::map<std::string_view, Kind> arguments;
  std::function<Rows(const Builder&)> rows;
};

json::value or_null(const std::string& text) { return text.empty() ? json::value{} : json::value(text); }

/// Ids are global: of the type and the number of the row.
std::string id_of(std::string_view type, std::size_t index) { return to_base64(std::string{type} + ':' + std::to_string(index + 1)); }

Rows commits_of(const Builder& builder) {
  Rows rows;
  for (std::size_t index = builder.builds().size(); index-- > 0;) {
    const Build& build = builder.builds()[index];
    if (build.status.empty()) continue;
    const auto committed = build.built_at - 300;
    rows.push_back({{"id", id_of("Commit", index)}, {"dtCommit", static_cast<double>(committed)}, {"dtDistro", committed}, {"dtExtended", 0},
                    {"dtBuild", build.built_at}, {"projectName", build.project}, {"type", "rpm"}, {"repoDir", "/builder/" + build.project},
                    {"distgitDir", "/builder/" + build.project + "-distgit"}, {"commitHash", build.commit}, {"distroHash", or_null(build.distro)},
                    {"extendedHash", or_null(build.extended)}, {"commitBranch", "master"}, {"status", build.status}, {"artifacts", nullptr},
                    {"notes", "OK"}, {"flags", std::filesystem::exists(builder.directory_of(build)) ? 0 : 2}, {"component", or_null(build.component)}});
  }
  return rows;
}

Rows votes_of(const Builder& builder, bool of_aggregates) {
  Rows rows;
  for (const auto& vote : builder.votes()) {
    if (vote.build.has_value() == of_aggregates) continue;
    json::object row{{"id", id_of(of_aggregates ? "CIVoteAgg" : "CIVote", rows.size())}, {"ciName", vote.job_id}, {"ciUrl", vote.url}, {"ciVote", vote.success},
                     {"ciInProgress", vote.in_progress}, {"timestamp", vote.timestamp}, {"notes", vote.notes ? json::value(*vote.notes) : json::value{}},
                     {"user", vote.user ? json::value(*vote.user) : json::value{}}};
    if (of_aggregates) {
      row["refHash"] = vote.aggregate;
    } else {
      row["commitId"] = *vote.build + 1;
      row["component"] = or_null(builder.builds()[*vote.build].component);
    }
    rows.push_back(std::move(row));
  }
  std::reverse(rows.begin(), rows.end());
  return rows;
}

/// In the order in which the packages were built first.
Rows packages_of(const Builder& builder) {
  Rows rows;
  std::set<std::string> known;
  for (const auto& first : builder.builds()) {
    if (!known.insert(first.project).second) continue;
    const auto newest = [&](std::string_view status) {
      return std::find_if(builder.builds().rbegin(), builder.builds().rend(), [&](const Build& build) { return build.project == first.project && !build.status.empty() && (status.empty() || build.status == status); });
    };
    json::object row{{"id", std::to_string(known.size() - 1)}, {"projectName", first.project}, {"status", "NO_BUILD"}, {"lastSuccess", nullptr}, {"firstFailureCommit", nullptr}};
    if (const auto last = newest(""); last != builder.builds().rend()) {
      row["status"] = last->status == "SUCCESS" ? "SUCCESS" : "FAILED";
      if (last->status != "SUCCESS") {
        const auto good = newest("SUCCESS");
        const std::chrono::seconds when{good == builder.builds().rend() ? 0 : good->built_at};
        row["lastSuccess"] = to_rfc3339(Timestamp{when}).substr(0, 19);
        row["firstFailureCommit"] = last->commit;
      }
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

const std::map<std::string_view, Table>& tables() {
  static const std::map<std::string_view, Table> known{
      {"commits", {"Commit", {{"projectName", Kind::text}, {"component", Kind::text}, {"status", Kind::text}, {"commitHash", Kind::text}, {"distroHash", Kind::text},
                              {"extendedHash", Kind::text}, {"offset", Kind::number}, {"limit", Kind::number}}, commits_of}},
      {"civote", {"CIVote", {{"commitId", Kind::number}, {"ciName", Kind::text}, {"ciVote", Kind::truth}, {"ciInProgress", Kind::truth}, {"timestamp", Kind::number},
                             {"user", Kind::text}, {"component", Kind::text}, {"offset", Kind::number}, {"limit", Kind::number}},
                  [](const Builder& builder) { return votes_of(builder, false); }}},
      {"civoteAgg", {"CIVoteAgg", {{"refHash", Kind::text}, {"ciName", Kind::text}, {"ciVote", Kind::truth}, {"ciInProgress", Kind::truth}, {"timestamp", Kind::number},
                                   {"user", Kind::text}, {"offset", Kind::number}, {"limit", Kind::number}, {"lastRefHash", Kind::flag_of_last}, {"where", Kind::where}},
                     [](const Builder& builder) { return votes_of(builder, true); }}},
      {"packageStatus", {"PackageStatus", {{"projectName", Kind::text}, {"status", Kind::text}}, packages_of}}};
  return known;
}

/// The fields of a type, so that they can be checked where no row is.
const std::set<std::string_view>& fields_of(std::string_view type) {
  static const std::map<std::string_view, std::set<std::string_view>> known{
      {"Commit", {"id", "dtCommit", "dtDistro", "dtExtended", "dtBuild", "projectName", "type", "repoDir", "distgitDir", "commitHash", "distroHash", "extendedHash",
                  "commitBranch", "status", "artifacts", "notes", "flags", "component"}},
      {"CIVote", {"id", "commitId", "ciName", "ciUrl", "ciVote", "ciInProgress", "timestamp", "notes", "user", "component"}},
      {"CIVoteAgg", {"id", "refHash", "ciName", "ciUrl", "ciVote", "ciInProgress", "timestamp", "notes", "user"}},
      {"PackageStatus", {"id", "projectName", "status", "lastSuccess", "firstFailureCommit"}}};
  return known.at(type);
}

constexpr std::string_view comparisons[] = {"gt", "gte", "lt", "lte", "eq"};

bool is_due(Kind kind, const json::value& value) {
  if (value.is_null()) return true;
  switch (kind) {
    case Kind::text: return value.is_string();
    case Kind::number: return value.is_int64();
    case Kind::truth:
    case Kind::flag_of_last: return value.is_bool();
    case Kind::where: break;
  }
  const auto* times = value.is_object() ? value.get_object().if_contains("timestamp") : nullptr;
  return times && times->is_object() && value.get_object().size() == 1 && std::all_of(times->get_object().begin(), times->get_object().end(), [](const auto& one) {
           return one.value().is_int64() && std::find(std::begin(comparisons), std::end(comparisons), one.key()) != std::end(comparisons);
         });
}

/// A fragment stands where its type is.
void check_type(const Field& field, std::string_view type) {
  if (!field.on.empty() && field.on != type)
    throw QueryError{"Fragment cannot be spread here as objects of type \"" + std::string{type} + "\" can never be of type \"" + field.on + "\".", field.at};
}

void check(const Field& field, const Table& table) {
  check_type(field, "Query");
  for (const auto& [name, value] : field.arguments) {
    const auto known = table.arguments.find(name);
    if (known == table.arguments.end()) throw QueryError{"Unknown argument \"" + std::string{name} + "\" on field \"" + field.name + "\" of type \"Query\".", field.at};
    if (!is_due(known->second, value)) throw QueryError{"Argument \"" + std::string{name} + "\" has invalid value " + json::serialize(value) + ".", field.at};
  }
  if (!field.has_fields) throw QueryError{"Field \"" + field.name + "\" of type \"[" + std::string{table.type} + "]\" must have a selection of subfields.", field.at};
  for (const auto& wanted : field.fields) {
    check_type(wanted, table.type);
    if (wanted.name != "__typename" && !fields_of(table.type).contains(wanted.name))
      throw QueryError{"Cannot query field \"" + wanted.name + "\" on type \"" + std::string{table.type} + "\".", wanted.at};
    if (wanted.has_fields || !wanted.arguments.empty()) throw QueryError{"Field \"" + wanted.name + "\" has neither arguments nor a selection.", wanted.at};
  }
}

bool lies_within(std::int64_t time, const json::object& limits) {
  return std::all_of(limits.begin(), limits.end(), [&](const auto& limit) {
    const auto bound = limit.value().get_int64();
    if (limit.key() == "gt") return time > bound;
    if (limit.key() == "gte") return time >= bound;
    if (limit.key() == "lt") return time < bound;
    if (limit.key() == "lte") return time <= bound;
    return time == bound;
  });
}

/// A blank text and a zero narrow nothing, like what is not given.
bool fits(const json::object& row, const Field& field, const Table& table) {
  for (const auto& [name, value] : field.arguments) {
    const Kind kind = table.arguments.at(name);
    if (value.is_null() || name == "offset" || name == "limit" || kind == Kind::flag_of_last) continue;
    if (kind == Kind::where) {
      if (!lies_within(row.at("timestamp").get_int64(), value.at("timestamp").get_object())) return false;
    } else if ((value.is_string() && value.get_string().empty()) || (value.is_int64() && value.get_int64() == 0)) {
      continue;
    } else if (row.at(name) != value) {
      return false;
    }
  }
  return true;
}

Rows narrowed(Rows rows, const Field& field, const Table& table) {
  std::erase_if(rows, [&](const json::object& row) { return !fits(row, field, table); });
  if (job::flag_at(field.arguments, "lastRefHash") && !rows.empty()) {
    const auto newest = std::max_element(rows.begin(), rows.end(), [](const auto& left, const auto& right) { return left.at("timestamp").get_int64() < right.at("timestamp").get_int64(); });
    const json::value last = newest->at("refHash");
    std::erase_if(rows, [&](const json::object& row) { return row.at("refHash") != last; });
  }
  if (!table.arguments.contains("limit")) return rows;
  constexpr std::int64_t most = 100;
  const auto offset = static_cast<std::size_t>(std::max<std::int64_t>(job::number_at(field.arguments, "offset"), 0));
  const auto limit = std::min(job::number_at(field.arguments, "limit", most), most);
  rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(std::min(offset, rows.size())));
  if (limit >= 0 && rows.size() > static_cast<std::size_t>(limit)) rows.resize(static_cast<std::size_t>(limit));
  return rows;
}

json::array answered(const Builder& builder, const Field& field, const Table& table) {
  json::array list;
  for (const auto& row : narrowed(table.rows(builder), field, table)) {
    json::object shown;
    for (const auto& wanted : field.fields) shown[wanted.alias] = wanted.name == "__typename" ? json::value(json::string{table.type}) : row.at(wanted.name);
    list.push_back(std::move(shown));
  }
  return list;
}

/// Neither sorted nor with a line's end, unlike the rest of the API.
http::ServerResponse answer_with(int status, const json::object& value) {
  http::ServerResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json"}};
  response.body = json::serialize(value);
  return response;
}

http::ServerResponse refused(int status, const std::string& message) { return answer_with(status, {{"errors", json::array{{{"message", message}}}}}); }

http::ServerResponse refused(const QueryError& error, std::string_view query) {
  const auto before = query.substr(0, error.at);
  const auto line = std::count(before.begin(), before.end(), '\n');
  const auto begin = before.rfind('\n');
  json::object place{{"line", line + 1}, {"column", before.size() - (begin == std::string_view::npos ? 0 : begin + 1) + 1}};
  return answer_with(400, {{"errors", json::array{{{"message", error.message}, {"locations", json::array{std::move(place)}}}}}});
}

/// The query and its variables: of a body of JSON, of the query, or of a form.
json::object given_to(const http::ServerRequest& request, const std::string& body, bool& broken) {
  const std::string type = media_type_of(request);
  json::object given = parameters_of(request.query);
  if (request.method == "POST" && type == "application/graphql") {
    given["query"] = body;
  } else if (request.method == "POST" && type == "application/json") {
    boost::system::error_code no_json;
    const auto value = json::parse(body, no_json);
    broken = no_json || !value.is_object();
    if (!broken)
      for (const auto& [name, member] : value.get_object()) given[name] = member;
  } else if (request.method == "POST" && type == "application/x-www-form-urlencoded") {
    for (const auto& [name, member] : parameters_of(body)) given[name] = member;
  }
  if (const auto* variables = given.if_contains("variables"); variables && variables->is_string() && !variables->get_string().empty()) {
    boost::system::error_code no_json;
    auto value = json::parse(variables->get_string(), no_json);
    broken = broken || no_json;
    given["variables"] = std::move(value);
  }
  return given;
}

}  // namespace

http::ServerResponse graphql_answer(const Builder& builder, const http::ServerRequest& request, const std::string& body) {
  if (request.method != "GET" && request.method != "POST") {
    auto response = refused(405, "GraphQL only supports GET and POST requests.");
    response.headers.set("Allow", "GET, POST");
    return response;
  }
  bool broken = false;
  const json::object given = given_to(request, body, broken);
  if (broken) return refused(400, "what was sent is invalid JSON");
  const std::string query = job::text_at(given, "query");
  if (query.empty()) return refused(400, "Must provide query string.");
  const auto* variables = given.if_contains("variables");
  try {
    json::object data;
    for (const auto& field : parse_query(query, variables && variables->is_object() ? variables->get_object() : json::object{})) {
      const auto table = tables().find(field.name);
      if (table == tables().end()) throw QueryError{"Cannot query field \"" + field.name + "\" on type \"Query\".", field.at};
      check(field, table->second);
      data[field.alias] = answered(builder, field, table->second);
    }
    return answer_with(200, {{"data", std::move(data)}});
  } catch (const QueryError& error) {
    return refused(error, query);
  }
}

}  // namespace outpost::sample_builder
