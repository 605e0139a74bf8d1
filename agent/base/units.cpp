#include "agent/base/units.hpp"

#include "agent/base/text.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace outpost {
namespace {

struct Unit { std::string_view name; double factor; };

constexpr std::array<Unit, 15> time_units{{{"ms", 1}, {"s", 1e3}, {"sec", 1e3}, {"m", 60e3}, {"min", 60e3}, {"h", 3600e3},
                                           {"hour", 3600e3}, {"hours", 3600e3}, {"d", 86400e3}, {"day", 86400e3}, {"days", 86400e3},
                                           {"w", 604800e3}, {"seconds", 1e3}, {"minutes", 60e3}, {"week", 604800e3}}};
constexpr std::array<Unit, 11> size_units{{{"", 1}, {"b", 1}, {"k", 1024.}, {"kib", 1024.}, {"m", 1048576.}, {"mib", 1048576.},
                                           {"g", 1073741824.}, {"gib", 1073741824.}, {"t", 1099511627776.}, {"tib", 1099511627776.},
                                           {"bytes", 1}}};

template <std::size_t N>
const Unit* find_unit(const std::array<Unit, N>& units, std::string_view name) {
  const std::string wanted = to_lower(name);
  for (const auto& unit : units)
    if (unit.name == wanted) return &unit;
  return nullptr;
}

/// Takes a number off the front of `text`; negative when there is none.
double take_number(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && ((text[size] >= '0' && text[size] <= '9') || text[size] == '.')) ++size;
  if (size == 0 || size > 18 || text.substr(0, size) == ".") return -1;
  const double value = std::strtod(std::string{text.substr(0, size)}.c_str(), nullptr);
  text.remove_prefix(size);
  return value;
}

std::string_view take_word(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && ((text[size] | 0x20) >= 'a' && (text[size] | 0x20) <= 'z')) ++size;
  const auto word = text.substr(0, size);
  text.remove_prefix(size);
  return word;
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const std::string quoted = "\"" + printable(text, 80) + "\"";
  std::string_view rest = trim(text);
  double total = 0;
  do {
    const double number = take_number(rest);
    const std::string_view name = take_word(rest);
    const Unit* unit = find_unit(time_units, name);
    if (number < 0 || unit == nullptr)
      return Error{Fault::malformed, quoted + " is not a duration (examples: 30s, 10min, 24h, 2d)"};
    total += number * unit->factor;
    rest = trim(rest);
  } while (!rest.empty());
  if (total > 366. * 86400e3) return Error{Fault::refused, quoted + " is more than a year"};
  return std::chrono::milliseconds{std::llround(total)};
}

Result<std::uint64_t> parse_size(std::string_view text) {
  std::string_view rest = trim(text);
  const double number = take_number(rest);
  rest = trim(rest);
  const Unit* unit = find_unit(size_units, take_word(rest));
  if (number < 0 || unit == nullptr || !rest.empty() || number * unit->factor > 1e18)
    return Error{Fault::malformed, "\"" + printable(text, 80) + "\" is not a size (examples: 64KiB, 5GiB, 1048576)"};
  return static_cast<std::uint64_t>(std::llround(number * unit->factor));
}

std::string format_duration(std::chrono::milliseconds duration) {
  const auto total = duration.count();
  std::array<char, 48> text{};
  if (total < 1000) {
    std::snprintf(text.data(), text.size(), "%lldms", static_cast<long long>(total));
  } else if (total < 60'000) {
    std::snprintf(text.data(), text.size(), "%.1fs", static_cast<double>(total) / 1e3);
  } else if (total < 3'600'000) {
    std::snprintf(text.data(), text.size(), "%lldmin %02llds", static_cast<long long>(total / 60'000), static_cast<long long>(total / 1000 % 60));
  } else {
    std::snprintf(text.data(), text.size(), "%lldh %02lldmin", static_cast<long long>(total / 3'600'000),
                  static_cast<long long>(total / 60'000 % 60));
  }
  return text.data();
}

std::string format_size(std::uint64_t bytes) {
  static constexpr std::array<const char*, 5> names{"bytes", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < names.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, names[unit]);
  return text.data();
}

}  // namespace outpost
