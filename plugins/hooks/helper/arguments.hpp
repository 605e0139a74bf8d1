#pragma once

#include "agent/base/result.hpp"
#include "plugins/hooks/helper/verbs.hpp"

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outpost::hook {

/// A command line that fits its verb.
struct Arguments {
  const Verb* verb = nullptr;
  std::vector<std::string> words;
  std::vector<std::pair<std::string_view, std::string>> options;

  [[nodiscard]] bool has(std::string_view option) const;
  [[nodiscard]] std::optional<std::string> value(std::string_view option) const;
  [[nodiscard]] std::vector<std::string> values(std::string_view option) const;
  /// The words from `first` on, with blanks between them: "outpost-hook note the array is back".
  [[nodiscard]] std::string text(std::size_t first = 0) const;
};

/// Reads what follows the verb's name. malformed: what is wrong with it, and what would be right.
[[nodiscard]] Result<Arguments> parse_arguments(const Verb& verb, std::span<char* const> given);

/// "90", "90s" or "1min30s".
[[nodiscard]] Result<std::chrono::milliseconds> parse_time(const std::string& text);

/// "usage: outpost-hook var set NAME VALUE [--secret] ..." with options and explanation.
[[nodiscard]] std::string help_of(const Verb& verb);
/// All verbs, a line each.
[[nodiscard]] std::string help();

}  // namespace outpost::hook
