#pragma once

#include <boost/json/object.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace outpost::config {

/// What outpost.yml(5) says of one key; the page itself is where this comes from.
struct KeyHelp {
  std::string path;  ///< "jobs.NAME.timeout"
  std::string kind;  ///< "duration from 1s to 30d, default 24h"
  std::string text;
};

/// Every key, in the order of the page.
[[nodiscard]] std::vector<KeyHelp> all_key_help();

/// Those that a word means: a whole path with or without names ("jobs.nightly.timeout", "jobs.timeout"), or the last
/// part of one ("timeout").
[[nodiscard]] std::vector<KeyHelp> help_for(std::string_view word);

/// A JSON Schema (draft 7) of outpost.yml for editors. Keys of plugins are not checked by it.
[[nodiscard]] boost::json::object schema_of_configuration();

}  // namespace outpost::config
