#include "agent/delivery/tar_header.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace outpost::delivery::tar {
namespace {

/// A field of the ustar header: where it begins, how long it is.
struct Field {
  std::size_t at, length;
};
constexpr Field name_field{0, 100}, mode_field{100, 8}, owner_field{108, 8}, group_field{116, 8}, size_field{124, 12},
    time_field{136, 12}, sum_field{148, 8}, magic_field{257, 8};
constexpr std::size_t type_at = 156;
constexpr char file_type = '0', old_file_type = '\0', pax_type = 'x';
constexpr std::uint64_t first_too_large = std::uint64_t{1} << 33;  ///< For eleven octal digits.

void put_octal(Block& bytes, Field field, std::uint64_t value) {
  for (std::size_t digit = field.length - 1; digit-- > 0; value /= 8)
    bytes[field.at + digit] = static_cast<char>('0' + value % 8);
}

std::optional<std::uint64_t> octal_at(const Block& bytes, Field field) {
  const char* begin = bytes.data() + field.at;
  const char* const end = begin + field.length;
  while (begin < end && *begin == ' ') ++begin;
  std::uint64_t value = 0;
  const auto read = std::from_chars(begin, end, value, 8);
  const bool whole = std::all_of(read.ptr, end, [](char rest) { return rest == ' ' || rest == '\0'; });
  if (read.ec != std::errc{} || !whole) return {};
  return value;
}

/// Octal digits or, as some write what is too large for them, a bit that says so and a binary number.
std::optional<std::uint64_t> number_at(const Block& bytes, Field field) {
  if ((static_cast<unsigned char>(bytes[field.at]) & 0x80) == 0) return octal_at(bytes, field);
  std::uint64_t value = static_cast<unsigned char>(bytes[field.at]) & 0x7f;
  for (std::size_t at = field.at + 1; at < field.at + field.length; ++at) {
    if (value >> 56 != 0) return {};
    value = value << 8 | static_cast<unsigned char>(bytes[at]);
  }
  return value;
}

/// Of the bytes of a header, those of the sum itself taken as blanks.
std::uint64_t sum_of(const Block& bytes) {
  std::uint64_t sum = sum_field.length * ' ';
  for (std::size_t at = 0; at < block; ++at)
    if (at < sum_field.at || at >= sum_field.at + sum_field.length) sum += static_cast<unsigned char>(bytes[at]);
  return sum;
}

std::string one_header(std::string_view name, std::uint64_t size, Timestamp modified, char type) {
  constexpr std::uint64_t owner_only = 0600;
  Block bytes{};
  name.copy(bytes.data() + name_field.at, name_field.length);
  put_octal(bytes, mode_field, owner_only);
  put_octal(bytes, owner_field, 0);
  put_octal(bytes, group_field, 0);
  put_octal(bytes, size_field, size);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(modified).time_since_epoch().count();
  put_octal(bytes, time_field, static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 0)));
  bytes[type_at] = type;
  constexpr std::string_view magic{"ustar\00000", 8};
  magic.copy(bytes.data() + magic_field.at, magic_field.length);
  put_octal(bytes, {sum_field.at, sum_field.length - 1}, sum_of(bytes));
  bytes[sum_field.at + sum_field.length - 1] = ' ';
  return {bytes.begin(), bytes.end()};
}

/// "LENGTH KEY=VALUE\n", where the length counts itself.
std::string pax_record(std::string_view key, std::uint64_t value) {
  const std::string rest = " " + std::string{key} + "=" + std::to_string(value) + "\n";
  std::size_t length = rest.size() + 1;
  while (std::to_string(length).size() + rest.size() != length) ++length;
  return std::to_string(length) + rest;
}

}  // namespace

std::string header(std::string_view name, std::uint64_t size, Timestamp modified) {
  if (size < first_too_large) return one_header(name, size, modified, file_type);
  std::string record = pax_record("size", size);
  const std::string in_front = one_header("pax", record.size(), modified, pax_type);
  record.resize(record.size() + padding(record.size()), '\0');
  return in_front + record + one_header(name, 0, modified, file_type);
}

std::optional<Member> parse(const Block& bytes) {
  Member member;
  if (std::all_of(bytes.begin(), bytes.end(), [](char byte) { return byte == 0; })) {
    member.kind = Member::Kind::end;
    return member;
  }
  const auto sum = octal_at(bytes, sum_field), size = number_at(bytes, size_field);
  if (!sum || !size || *sum != sum_of(bytes)) return {};
  const char* const name = bytes.data() + name_field.at;
  member.name.assign(name, ::strnlen(name, name_field.length));
  member.size = *size;
  const char type = bytes[type_at];
  if (type == file_type || type == old_file_type) member.kind = Member::Kind::file;
  if (type == pax_type) member.kind = Member::Kind::pax;
  return member;
}

std::optional<std::uint64_t> pax_size(std::string_view content) {
  std::optional<std::uint64_t> size;
  while (!content.empty()) {
    std::size_t length = 0;
    const auto read = std::from_chars(content.data(), content.data() + content.size(), length);
    const auto digits = static_cast<std::size_t>(read.ptr - content.data());
    if (read.ec != std::errc{} || length <= digits + 1 || length > content.size()) return {};
    const std::string_view record = content.substr(digits + 1, length - digits - 2);  // Without blank and line break.
    constexpr std::string_view key = "size=";
    if (record.starts_with(key)) {
      std::uint64_t value = 0;
      const auto number = std::from_chars(record.data() + key.size(), record.data() + record.size(), value);
      if (number.ec != std::errc{} || number.ptr != record.data() + record.size()) return {};
      size = value;
    }
    content.remove_prefix(length);
  }
  return size;
}

}  // namespace outpost::delivery::tar
