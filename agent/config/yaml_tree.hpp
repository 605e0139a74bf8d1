#pragma once

#include "agent/config/problem.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace outpost::config {

/// A YAML value with the place where it was written. Scalars stay as they were written: 4.16 is "4.16", no is "no".
struct Node {
  enum class Kind { null, scalar, list, map };

  Kind kind = Kind::null;
  Origin origin;            ///< Of the key when it is a value of a mapping, else of the value itself.
  std::string key;          ///< When it is a value of a mapping.
  std::string text;         ///< Of a scalar.
  bool quoted = false;      ///< The scalar stood in quotes or in a block, so it is text whatever it looks like.
  std::vector<Node> items;  ///< Of a list, or the values of a mapping in the order of the file.

  /// The value of a key of a mapping.
  [[nodiscard]] const Node* find(std::string_view wanted) const;
  [[nodiscard]] Node* find(std::string_view wanted);
};

/// What a YAML file may be at most; beyond it is a problem.
inline constexpr std::size_t yaml_bytes = 1024 * 1024;
inline constexpr std::size_t yaml_depth = 32;
inline constexpr std::size_t yaml_values = 100'000;  ///< With aliases expanded.

struct Parsed {
  Node root;             ///< null for an empty file.
  bool complete = true;  ///< False when the text could not be read to its end; `root` is null then.
};

/// Reads one document of YAML 1.2 in UTF-8, with the traps closed: a key that is written twice, a second document, a
/// tag, a tab in the indentation, a control byte and more nesting or expansion than anybody needs are problems.
/// Anchors, aliases and merge keys (<<) work. A byte order mark and CRLF are tolerated.
[[nodiscard]] Parsed parse_yaml(std::string_view text, const std::string& file, Problems& problems);

}  // namespace outpost::config
