#pragma once

#include "agent/base/result.hpp"
#include "agent/pipeline/step_calls.hpp"

#include <string_view>

namespace outpost::hooks {

/// What a line on the socket of a step says.
struct CallLine {
  pipeline::StepCall call;   ///< Without its file.
  bool brings_file = false;  ///< There is one, it says.
};

/// Reads a line, without its line feed, as README.md here lays it down. malformed: it is no call. unavailable: it is one of
/// another version.
[[nodiscard]] Result<CallLine> parse_call(std::string_view line);

}  // namespace outpost::hooks
