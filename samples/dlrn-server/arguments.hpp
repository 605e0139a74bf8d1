#pragma once

#include "samples/dlrn-server/builder.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outpost::sample_builder {

/// What a call was given, read as the original's models read it: a text or a float where a whole number is due will do, a
/// number where a text is due mostly not. What is wrong is collected; what a handler throws itself between two readings
/// comes before that, as the original's own checks of single fields do.
class Arguments {
 public:
  explicit Arguments(const boost::json::object& given) : given_{&given} {}

  /// Nothing when it is not there, or null. A blank text is a text.
  std::optional<std::string> text(std::string_view name, bool required = false);
  /// A number will do, too: the address of a vote's logs is read so.
  std::optional<std::string> loose_text(std::string_view name, bool required = false);
  std::optional<bool> truth(std::string_view name, bool required = false);
  std::optional<std::int64_t> number(std::string_view name, bool required = false);
  /// The same, where a negative one is wrong.
  std::optional<std::int64_t> count(std::string_view name);

  /// Throws the Refusal that lists all that was wrong so far, as the original words it.
  void check() const;

 private:
  /// nullptr when it is not there, or null; both are wrong where it is required.
  const boost::json::value* find(std::string_view name, bool required);
  void wrong(std::string_view name, std::string_view why) { errors_.emplace_back(name, why); }

  const boost::json::object* given_;
  std::vector<std::pair<std::string, std::string>> errors_;
};

}  // namespace outpost::sample_builder
