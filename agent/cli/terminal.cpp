#include "agent/cli/terminal.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string_view>

namespace outpost::cli {

bool may_colour(int descriptor) {
  const char* no_colour = std::getenv("NO_COLOR");
  if (no_colour && *no_colour) return false;
  const char* terminal = std::getenv("TERM");
  return ::isatty(descriptor) == 1 && !(terminal && std::string_view{terminal} == "dumb");
}

namespace {

/// Whether the terminal takes UTF-8, by what decides it for the C library.
bool is_unicode() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value && *value) return std::string_view{value}.find("UTF-8") != std::string_view::npos || std::string_view{value}.find("utf8") != std::string_view::npos;
  }
  return false;
}

}  // namespace

std::string bar(std::uint64_t done, std::uint64_t total, std::size_t length) {
  const auto full = total == 0 ? length : static_cast<std::size_t>(static_cast<double>(std::min(done, total)) / static_cast<double>(total) * static_cast<double>(length));
  const bool unicode = is_unicode();
  std::string cells;
  for (std::size_t cell = 0; cell < length; ++cell) cells += cell < full ? (unicode ? "█" : "#") : (unicode ? "░" : "-");
  return cells;
}

ProgressLine::ProgressLine() : terminal_{::isatty(STDERR_FILENO) != 0} {}

void ProgressLine::show(const std::string& text) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (shown_ && now - last_ < std::chrono::milliseconds{100}) return;
  last_ = now;
  shown_ = true;
  std::cerr << "\r\x1b[K" << text << std::flush;
}

void ProgressLine::clear() {
  if (shown_) std::cerr << "\r\x1b[K" << std::flush;
  shown_ = false;
}

}  // namespace outpost::cli
