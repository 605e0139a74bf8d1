#pragma once

#include <boost/assert/source_location.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::config {

/// Where a value was written.
struct Origin {
  std::string file;  ///< "outpost.yml", "conf.d/20-lab.yml", or the name of the variable, "OUTPOST_CFG_SLOTS".
  int line = 0;      ///< From 1; 0 for a variable or for a file as a whole.
  int column = 0;    ///< In characters, from 1. Of the key for a value in a mapping, else of the value.

  /// "outpost.yml:12:5", or "OUTPOST_CFG_SLOTS".
  [[nodiscard]] std::string text() const;
};

/// What sort of mistake a problem is, for those who give mistakes numbers.
enum class ProblemKind { value, unknown_key, duplicate_key, missing_key, syntax };

/// One thing that is wrong, and what to do about it.
struct Problem {
  Origin where;
  std::string message;  ///< Without the place; safe for a terminal.
  ProblemKind kind = ProblemKind::value;

  /// `outpost.yml:12:5: jobs.timeout: "10 minuts" is not a duration (example: 10min)`
  [[nodiscard]] std::string text() const { return where.text() + ": " + message; }
};

/// Every problem of a configuration, in the order of the files.
struct Problems {
  std::vector<Problem> list;

  /// One line for each.
  [[nodiscard]] std::string text() const;
};

/// Origins by the path of the value: "jobs.NAME.timeout", "sources.dci.url", "jobs.NAME.resources[0]".
/// Values that are defaults have none.
using Origins = std::map<std::string, Origin, std::less<>>;

/// Where the value at `path` was written; else what it is part of; else `file` as a whole.
[[nodiscard]] Origin nearest_origin(const Origins& origins, std::string path, const std::string& file);

[[noreturn]] void throw_exception_from_error(const Problems& problems, const boost::source_location& where);

}  // namespace outpost::config
