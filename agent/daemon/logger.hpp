#pragma once

#include <string>
#include <string_view>

namespace outpost::daemon {

enum class Level { error = 3, warning = 4, notice = 5, info = 6, debug = 7 };

/// One line on stderr per message. Under systemd with its priority in front ("<6>..."), which journald takes off again;
/// otherwise with time and level. Control bytes are escaped: much of what is logged comes from servers.
class Logger {
 public:
  Logger();
  void write(Level level, std::string_view message) const;
  void error(std::string_view message) const { write(Level::error, message); }
  void warning(std::string_view message) const { write(Level::warning, message); }
  void notice(std::string_view message) const { write(Level::notice, message); }
  void info(std::string_view message) const { write(Level::info, message); }

 private:
  bool journald_;
};

}  // namespace outpost::daemon
