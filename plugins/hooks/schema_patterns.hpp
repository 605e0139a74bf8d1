#pragma once

#include "plugins/hooks/regular_expression.hpp"
#include "plugins/hooks/schema_library.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace outpost::hooks {

/// Keywords under which a schema has its regular expressions so that the library does not see them. No keyword of a
/// manifest has a colon.
inline constexpr std::string_view our_pattern = "outpost:pattern";
inline constexpr std::string_view our_keys = "outpost:keys";      ///< A list of patterns that keys are compared with.
inline constexpr std::string_view our_format = "outpost:format";  ///< `date`, `date-time` or `time`.

/// The regular expressions of one schema, while one value is compared with it.
class Patterns {
 public:
  using Match = RegularExpression::Match;

  /// The same is compared once, however many schemas ask. A pattern that is none: std::invalid_argument.
  [[nodiscard]] Match compare(const std::string& pattern, const std::string& text);

  /// Of what has been compared already.
  [[nodiscard]] bool is_undecided(const std::string& pattern, const std::string& text) const;

  /// Notes once that nobody can say whether `text` matches.
  void note(std::vector<std::string> path, const std::string& pattern, const std::string& text);

  std::vector<Violation> noted;

 private:
  struct Known {
    RegularExpression expression;
    std::map<std::string, Match> matches;  ///< By the text.
  };

  std::map<std::string, Known> known_;
  std::uint64_t left_ = 8 * most_steps;  ///< For all comparisons together.
};

/// `schema` with our keywords instead of `pattern`, of formats that the library would compare with expressions, and of
/// `patternProperties`: those become `properties` of the keys in `value` that match.
[[nodiscard]] boost::json::value with_our_patterns(const boost::json::value& schema, const boost::json::value& value, Patterns& patterns);

/// `date`, `date-time` and `time` as RFC 3339 says.
[[nodiscard]] bool is_time_format(std::string_view format);
[[nodiscard]] bool has_time_format(std::string_view text, std::string_view format);

}  // namespace outpost::hooks
