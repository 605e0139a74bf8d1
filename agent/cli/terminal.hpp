#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace outpost::cli {

/// Whether what is written there may have colours: it is a terminal, and NO_COLOR is not set (no-color.org).
[[nodiscard]] bool may_colour(int descriptor);

/// How much of something is done, in `length` columns: "████░░░░", or "####----" where the terminal knows no UTF-8.
[[nodiscard]] std::string bar(std::uint64_t done, std::uint64_t total, std::size_t length);

/// One line on standard error that is written over again and again, ten times a second at most, where that is a
/// terminal; nothing elsewhere.
class ProgressLine {
 public:
  ProgressLine();
  void show(const std::string& text);
  void clear();

 private:
  bool terminal_, shown_ = false;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace outpost::cli
