#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The selection language that partners write in dci-pipeline's `components:`; README.md describes it.
namespace outpost::dci {

/// One `field:value` of a selection. With `wildcard` the value is a pattern in which every `*` stands for any text.
struct FieldTerm {
  std::string field, value;
  bool wildcard = false;
};

struct Selection {
  std::string text;  ///< As it was written.
  std::string type;  ///< Lower case, as the server stores it.
  std::vector<FieldTerm> fields;
  std::vector<std::string> tags;        ///< All of them are required.
  std::vector<std::string> build_tags;  ///< One of them is required, when there are any.
  // The mapping form.
  std::vector<std::string> priority_tags;  ///< The first tag that any component has decides.
  std::optional<int> max_age_days;
  bool by_creation = false;  ///< Newest by created_at instead of released_at.
};

/// Reads `type`, `type=version`, `type?tags:a,b&field:value&field:pref*`, or a JSON object
/// `{"type": T, "priority_tags": [...], "tags": [...], "max_age": days}` (how a definition keeps the mapping form).
/// `%3a`, `%3f`, `%26` stand for `:`, `?`, `&`. malformed with the position, counted from 1, and what to write instead.
[[nodiscard]] Result<Selection> parse_selection(std::string_view text);

/// One question to the server: the answer holds everything that matches, and perhaps more.
struct ComponentQuery {
  std::vector<std::pair<std::string, std::string>> parameters;  ///< where or query, sort, created_after; never blank.
  std::string priority_tag;  ///< The tag of priority_tags that this question is about.
};

/// The questions in the order in which they are to be asked; the first with a match decides. What the server's query
/// language can carry goes there, the rest is left to matches().
[[nodiscard]] std::vector<ComponentQuery> compile(const Selection& selection, Timestamp now);

/// Whether a component as the server describes it is what was meant. The server's own filters are wider: its
/// comparisons ignore case and `_` is a wildcard in its patterns.
[[nodiscard]] bool matches(const Selection& selection, const ComponentQuery& query,
                           const boost::json::object& component);

/// Characters that a value of the server's query language may have.
[[nodiscard]] bool fits_query_language(std::string_view value);
/// Whether a value can be asked for with `where` and mean itself: not empty, no comma, no `*` at its end.
[[nodiscard]] bool fits_where(std::string_view value);

}  // namespace outpost::dci
