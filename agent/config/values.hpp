#pragma once

#include "agent/config/problem.hpp"
#include "agent/config/window.hpp"
#include "agent/config/yaml_tree.hpp"

#include <boost/json/value.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// One value of the tree as a C++ value. Each function notes a problem and returns nothing when it does not fit;
/// `label` is how the message calls it: "jobs.timeout".
namespace outpost::config {

/// What reading needs and what it finds.
struct Reading {
  std::filesystem::path directory;  ///< From which relative paths count.
  const ZoneLookup& zones;
  Problems problems;
  Origins origins;

  void problem(const Origin& where, std::string_view label, std::string_view message) {
    problems.list.push_back({where, std::string{label} + ": " + std::string{message}});
  }
};

/// "\"...\"", shortened and without control bytes.
[[nodiscard]] std::string quote(std::string_view text);
/// " (did you mean "x"?)", or "" when nothing is near.
[[nodiscard]] std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);
/// "a list, but ... is due".
void wrong_kind(Reading& reading, const Node& node, std::string_view label, std::string_view due);

/// One line, trimmed.
[[nodiscard]] std::optional<std::string> as_text(Reading& reading, const Node& node, std::string_view label);
/// Any number of lines, trimmed.
[[nodiscard]] std::optional<std::string> as_prose(Reading& reading, const Node& node, std::string_view label);
/// A name of our own: letters, digits, '.', '_', '-', at most 64.
[[nodiscard]] std::optional<std::string> as_name(Reading& reading, const Node& node, std::string_view label);
/// Only true and false; yes, on, True and "true" are problems.
[[nodiscard]] std::optional<bool> as_boolean(Reading& reading, const Node& node, std::string_view label);
[[nodiscard]] std::optional<std::int64_t> as_integer(Reading& reading, const Node& node, std::string_view label,
                                                     std::int64_t least, std::int64_t most);
[[nodiscard]] std::optional<double> as_number(Reading& reading, const Node& node, std::string_view label,
                                              double least = std::numeric_limits<double>::lowest());
[[nodiscard]] std::optional<std::chrono::milliseconds> as_duration(Reading& reading, const Node& node,
                                                                   std::string_view label,
                                                                   std::chrono::milliseconds least,
                                                                   std::chrono::milliseconds most);
[[nodiscard]] std::optional<std::uint64_t> as_size(Reading& reading, const Node& node, std::string_view label,
                                                   std::uint64_t least);
/// http:// or https:// with a host, without a trailing slash, a query or a fragment; a user only where allowed.
[[nodiscard]] std::optional<std::string> as_url(Reading& reading, const Node& node, std::string_view label);
/// As as_url, but with everything a web address may have; the value is not repeated in messages.
[[nodiscard]] std::optional<std::string> as_private_url(Reading& reading, const Node& node, std::string_view label);
/// An absolute path.
[[nodiscard]] std::optional<std::filesystem::path> as_path(Reading& reading, const Node& node, std::string_view label);
/// Without the items that are wrong.
[[nodiscard]] std::vector<std::string> as_texts(Reading& reading, const Node& node, std::string_view label);
/// The items of a list; a problem and no items for what is none. `example` is what would be right: `["Sat,Sun"]`.
[[nodiscard]] const std::vector<Node>& items_of(Reading& reading, const Node& node, std::string_view label,
                                                std::string_view example);
/// Scalars as strings, but unquoted true and false as booleans.
[[nodiscard]] boost::json::value as_json(const Node& node);
/// What is not in quotes can be null, true, false or a whole number, as in YAML 1.2. Numbers with a point stay text, so
/// that a version such as 4.10 is not changed; whoever wants a number can make one of it.
[[nodiscard]] boost::json::value as_typed_json(const Node& node);

}  // namespace outpost::config
