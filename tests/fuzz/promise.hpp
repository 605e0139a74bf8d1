#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

/// What libFuzzer and replay.cpp call: one input, of any bytes. Always returns 0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace outpost::fuzz {

/// Ends the program when something that the code under test promises does not hold, so that the input is kept.
inline void promise(bool kept, std::string_view what) {
  if (kept) return;
  std::fprintf(stderr, "Promise broken: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

/// A message for people: not empty, and nothing in it that a terminal would obey. With `lines`, it may have several.
inline void promise_message(std::string_view message, bool lines = false) {
  promise(!message.empty(), "a message is not empty");
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    promise((byte >= 0x20 && byte != 0x7f) || (lines && c == '\n'), "a message has no control bytes");
  }
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Cuts off the first line; all of the text when it has only one.
inline std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

}  // namespace outpost::fuzz
