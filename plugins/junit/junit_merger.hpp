#pragma once

#include "agent/base/result.hpp"
#include "plugins/junit/text_writer.hpp"

#include <string>

namespace outpost::junit {

/// Writes the suites of several JUnit files into one, in UTF-8: every element, attribute and text as it was, in the order
/// in which files are added, but for comments, and for an outermost `testsuites`, whose place the new one takes.
class JunitMerger {
 public:
  explicit JunitMerger(int to);

  /// Adds a file that read_junit() has found well-formed, from its current position; `name` is for messages.
  /// malformed: it is not, and what has been written until then is of no use. unavailable: it cannot be read. Blocks.
  [[nodiscard]] Result<void> add(int from, const std::string& name);
  /// The end of the new file, which is called `name` in messages.
  [[nodiscard]] Result<void> finish(const std::string& name);

 private:
  TextWriter to_;
};

}  // namespace outpost::junit
