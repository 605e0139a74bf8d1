#pragma once

#include "agent/base/result.hpp"
#include "plugins/dlrn/api.hpp"

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace outpost::dlrn {

/// What one of a job's `components` asks a builder for.
struct Selection {
  enum class Kind {
    label,     ///< "consistent", "component/compute/consistent": what the label is in the web tree now.
    promoted,  ///< {promoted: tripleo-ci-testing, component: compute, after: a-job}: its newest row in the API.
    tested,    ///< {tested: periodic-job-1, success: true...}: the build with the newest vote of that job.
  };

  Kind kind = Kind::label;
  std::string label;
  std::string component;  ///< Empty: of the whole builder.
  TestedQuery query;      ///< Of `tested`.
  std::string after;      ///< Of `promoted`: only once this job has succeeded on it, and while ours has no vote on it.
};

/// Reads a selection as a definition has it: a text, or the JSON of an object. malformed says what is wrong with it.
[[nodiscard]] Result<Selection> parse_selection(std::string_view text);
/// The same of a value as the configuration reader has it.
[[nodiscard]] Result<void> check_selection(const boost::json::value& value);

}  // namespace outpost::dlrn
