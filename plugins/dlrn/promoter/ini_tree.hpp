#pragma once

#include "agent/config/yaml_tree.hpp"

namespace outpost::promoter {

/// Reads the ini of Python's ConfigParser as the tree that parse_yaml() makes: a mapping of sections, each a mapping in
/// the order of the file; a key without a value has none. Whole lines that begin with # or ; are comments. Case is
/// kept. Problems: a key outside of a section, one that is written twice, an indented line, %( ), a control byte.
[[nodiscard]] config::Parsed parse_ini(std::string_view text, const std::string& file, config::Problems& problems);

}  // namespace outpost::promoter
