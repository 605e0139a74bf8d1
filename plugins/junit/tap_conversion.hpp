#pragma once

#include "agent/base/result.hpp"
#include "plugins/junit/tap_reader.hpp"

#include <string>
#include <vector>

namespace outpost::junit {

struct TapConversion {
  std::string problem;             ///< Why the document was not read to its end; "" when it was.
  std::vector<std::string> notes;  ///< What is odd about it.
};

/// Writes the tests of a TAP document (TapReader) as JUnit: one suite called `suite`, the subtests of a test as its class.
/// What XML cannot hold becomes U+FFFD. Reads `from` from its current position as a stream. `name` is for messages.
///
/// Errors: unavailable when it cannot be read or written. Blocks: for a worker.
[[nodiscard]] Result<TapConversion> convert_tap(int from, const std::string& name, int to, const std::string& suite,
                                                const TapLimits& limits = {});

}  // namespace outpost::junit
