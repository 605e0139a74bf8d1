#pragma once

#include "agent/base/result.hpp"

#include <string>
#include <string_view>

namespace outpost::junit {

/// Writes a text into an open file, in large pieces. The first failure is kept until finish().
class TextWriter {
 public:
  explicit TextWriter(int file) : file_{file} {}

  void write(std::string_view text) {
    text_ += text;
    if (text_.size() >= piece) flush();
  }
  /// Writes the rest. `name` is for the message.
  [[nodiscard]] Result<void> finish(const std::string& name);

 private:
  static constexpr std::size_t piece = 64 * 1024;
  void flush();

  int file_;
  std::string text_;
  int failure_ = 0;
};

}  // namespace outpost::junit
