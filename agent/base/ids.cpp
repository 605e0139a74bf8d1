#include "agent/base/ids.hpp"

#include <openssl/rand.h>

#include <array>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <stdexcept>

namespace outpost {
namespace {

/// Milliseconds and a 12-bit counter in one number that only grows, so that ids made in one millisecond,
/// or after the clock was set back, still sort in order (RFC 9562 §6.2, method 1).
std::uint64_t next_stamp(Timestamp now) {
  static std::atomic<std::uint64_t> last{0};
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  const auto wanted = static_cast<std::uint64_t>(milliseconds) << 12;
  std::uint64_t before = last.load();
  std::uint64_t stamp = 0;
  do stamp = wanted > before ? wanted : before + 1;
  while (!last.compare_exchange_weak(before, stamp));
  return stamp;
}

}  // namespace

std::string new_id(Timestamp now) {
  const std::uint64_t stamp = next_stamp(now);
  std::array<unsigned char, 16> bytes{};
  if (::RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) throw std::runtime_error{"no random numbers"};
  const std::uint64_t milliseconds = stamp >> 12;
  for (int index = 0; index < 6; ++index)
    bytes[static_cast<std::size_t>(index)] = static_cast<unsigned char>(milliseconds >> (40 - 8 * index));
  bytes[6] = static_cast<unsigned char>(0x70 | ((stamp >> 8) & 0x0f));
  bytes[7] = static_cast<unsigned char>(stamp & 0xff);
  bytes[8] = static_cast<unsigned char>(0x80 | (bytes[8] & 0x3f));
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t index = 0; index < bytes.size(); ++index) {
    if (index == 4 || index == 6 || index == 8 || index == 10) text += '-';
    text += digits[bytes[index] >> 4];
    text += digits[bytes[index] & 15];
  }
  return text;
}

std::optional<Timestamp> time_of_id(std::string_view text) {
  if (!is_uuid(text) || text[14] != '7') return std::nullopt;
  const std::string digits = std::string{text.substr(0, 8)} + std::string{text.substr(9, 4)};
  std::uint64_t milliseconds = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), milliseconds, 16);
  return Timestamp{std::chrono::milliseconds{milliseconds}};
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t index = 0; index < text.size(); ++index) {
    const char c = text[index];
    const bool dash = index == 8 || index == 13 || index == 18 || index == 23;
    const bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !digit) return false;
  }
  return true;
}

}  // namespace outpost
