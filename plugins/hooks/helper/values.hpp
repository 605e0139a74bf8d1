#pragma once

#include "agent/base/result.hpp"

#include <boost/json/value.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace outpost::hook {

/// Named values as files of a directory, one each, in JSON: whole at any moment, whoever else writes.
class Values {
 public:
  explicit Values(std::filesystem::path directory) : directory_{std::move(directory)} {}

  [[nodiscard]] Result<void> set(const std::string& name, const boost::json::value& value) const;
  /// Nothing: there is none. malformed: the file is no JSON.
  [[nodiscard]] Result<std::optional<boost::json::value>> get(const std::string& name) const;
  /// Whether there was one.
  [[nodiscard]] bool unset(const std::string& name) const;
  [[nodiscard]] std::map<std::string, boost::json::value> all() const;

 private:
  std::filesystem::path directory_;
};

/// A letter or digit, then up to 99 letters, digits and ". _ -": a name of values, metrics and locks.
[[nodiscard]] bool is_name(std::string_view text);

}  // namespace outpost::hook
