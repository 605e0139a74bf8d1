#include "agent/daemon/logger.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/text.hpp"

#include <array>
#include <cstdlib>
#include <unistd.h>

namespace outpost::daemon {

Logger::Logger() : journald_{std::getenv("JOURNAL_STREAM") != nullptr} {}

void Logger::write(Level level, std::string_view message) const {
  static constexpr std::array<std::string_view, 8> names{"", "", "", "error", "warning", "notice", "info", "debug"};
  std::string line;
  if (journald_) line = "<" + std::to_string(static_cast<int>(level)) + ">";
  else line = to_rfc3339(SystemClock{}.now()) + " " + std::string{names[static_cast<std::size_t>(level)]} + ": ";
  line += printable(message, 8192) + "\n";
  // One write, so that lines of several processes on one stderr don't mix; a reader that is gone must not stop us.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace outpost::daemon
