#pragma once

#include "samples/dlrn-server/builder.hpp"

#include <boost/json/object.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outpost::sample_builder {

/// What a call was given, read as the original's models read it: a text where a number is due will do, a number where a
/// text is due will not.
class Arguments {
 public:
  explicit Arguments(const boost::json::object& given) : given_{&given} {}

  std::string text(std::string_view name, bool required = false);
  std::optional<bool> truth(std::string_view name, bool required = false);
  std::optional<std::int64_t> number(std::string_view name, bool required = false);
  [[nodiscard]] bool has(std::string_view name) const;

  /// Throws the Refusal that lists all that was wrong so far, as the original words it.
  void check() const;

 private:
  void wrong(std::string_view name, std::string_view why) { errors_.emplace_back(name, why); }

  const boost::json::object* given_;
  std::vector<std::pair<std::string, std::string>> errors_;
};

}  // namespace outpost::sample_builder
