// What a selection asks the server, and what it looks at itself.
#include "plugins/dci/selection.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <algorithm>
#include <array>

namespace outpost::dci {
namespace {

namespace json = boost::json;

/// Midnight UTC, so many days ago, in the form of `created_after`.
std::string days_before(Timestamp now, int days) {
  const auto midnight = std::chrono::floor<std::chrono::days>(now) - std::chrono::days{days};
  std::string text = to_rfc3339(Timestamp{midnight});
  text.pop_back();  // The server's format has no zone.
  return text;
}

bool fields_name(const Selection& selection, std::string_view field) {
  return std::any_of(selection.fields.begin(), selection.fields.end(),
                     [&](const auto& term) { return term.field == field; });
}

std::string query_of(const Selection& selection, const std::string& priority_tag) {
  std::string query = "and(";
  if (!fields_name(selection, "state")) query += "eq(state,active),";
  query += "eq(type," + selection.type + ')';
  for (const auto& term : selection.fields)
    query += term.wildcard ? ",ilike(" + term.field + ',' + replace_all(term.value, "*", "%") + ')'
                           : ",eq(" + term.field + ',' + term.value + ')';
  for (const auto& tag : selection.tags) query += ",contains(tags," + tag + ')';
  if (!priority_tag.empty()) query += ",contains(tags," + priority_tag + ')';
  if (selection.build_tags.size() == 1) query += ",contains(tags," + selection.build_tags.front() + ')';
  if (selection.build_tags.size() > 1) {
    query += ",or(";
    for (const auto& tag : selection.build_tags)
      query += (tag == selection.build_tags.front() ? "contains(tags," : ",contains(tags,") + tag + ')';
    query += ')';
  }
  return query + ')';
}

/// As much of the selection as `where` can carry; it is a list of equalities only.
std::string where_of(const Selection& selection, const std::string& priority_tag) {
  std::string where;
  const auto add = [&](const std::string& field, const std::string& value) {
    if (fits_where(value)) where += (where.empty() ? "" : ",") + field + ':' + value;
  };
  add("type", selection.type);
  if (!fields_name(selection, "state")) add("state", "active");
  for (const auto& term : selection.fields)
    if (!term.wildcard) add(term.field, term.value);
  for (const auto& tag : selection.tags) add("tags", tag);
  if (!priority_tag.empty()) add("tags", priority_tag);
  return where;
}

/// The server's patterns are for texts; a pattern for a date or an id breaks its query.
bool is_text_field(std::string_view field) {
  constexpr std::array<std::string_view, 10> texts{
      "name", "display_name", "version", "uid", "type", "canonical_project_name", "title", "message", "url", "etag"};
  return std::find(texts.begin(), texts.end(), field) != texts.end();
}

bool fits(const Selection& selection, const std::string& priority_tag) {
  const auto plain = [](const std::string& value) { return fits_query_language(value); };
  return plain(selection.type) && (priority_tag.empty() || plain(priority_tag)) &&
         std::all_of(selection.tags.begin(), selection.tags.end(), plain) &&
         std::all_of(selection.fields.begin(), selection.fields.end(), [](const FieldTerm& term) {
           // A percent sign of the user's own would be a wildcard inside ilike.
           return term.wildcard ? is_text_field(term.field) && term.value.find('%') == std::string::npos &&
                                      fits_query_language(replace_all(term.value, "*", "%"))
                                : fits_query_language(term.value);
         });
}

}  // namespace

bool fits_query_language(std::string_view value) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view{"_- %.:/"}.find(c) != std::string_view::npos;
  };
  // Spaces at the ends are skipped by the server's parser.
  return !value.empty() && value.front() != ' ' && value.back() != ' ' &&
         std::all_of(value.begin(), value.end(), allowed);
}

bool fits_where(std::string_view value) {
  return !value.empty() && value.find(',') == std::string_view::npos && !value.ends_with('*') && trim(value) == value;
}

std::vector<ComponentQuery> compile(const Selection& selection, Timestamp now) {
  std::vector<std::string> tags = selection.priority_tags;
  if (tags.empty()) tags.emplace_back();
  std::vector<ComponentQuery> queries;
  for (auto& tag : tags) {
    ComponentQuery query;
    if (fits(selection, tag)) query.parameters.emplace_back("query", query_of(selection, tag));
    // A type with a comma in it can be asked for in neither way: then everything is read and looked at here.
    else if (auto where = where_of(selection, tag); !where.empty())
      query.parameters.emplace_back("where", std::move(where));
    query.parameters.emplace_back("sort", selection.by_creation ? "-created_at" : "-released_at");
    if (selection.max_age_days)
      query.parameters.emplace_back("created_after", days_before(now, *selection.max_age_days));
    query.priority_tag = std::move(tag);
    queries.push_back(std::move(query));
  }
  return queries;
}

bool matches(const Selection& selection, const ComponentQuery& query, const json::object& component) {
  if (!equal_ignoring_case(job::text_at(component, "type"), selection.type)) return false;
  const std::string state = job::text_at(component, "state");
  if (!fields_name(selection, "state") && !state.empty() && state != "active") return false;
  for (const auto& term : selection.fields) {
    const std::string value = job::text_at(component, term.field);
    // matches_glob would take a question mark for a wildcard.
    const auto plain = [](const std::string& text) { return replace_all(to_lower(text), "?", "\x01"); };
    if (term.wildcard ? !matches_glob(plain(value), plain(term.value)) : value != term.value) return false;
  }
  const auto tags = job::texts_at(component, "tags");
  const auto has = [&](const std::string& tag) { return std::find(tags.begin(), tags.end(), tag) != tags.end(); };
  if (!query.priority_tag.empty() && !has(query.priority_tag)) return false;
  return std::all_of(selection.tags.begin(), selection.tags.end(), has) &&
         (selection.build_tags.empty() || std::any_of(selection.build_tags.begin(), selection.build_tags.end(), has));
}

}  // namespace outpost::dci
