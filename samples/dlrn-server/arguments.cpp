#include "samples/dlrn-server/arguments.hpp"

#include "agent/base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace outpost::sample_builder {

bool Arguments::has(std::string_view name) const {
  const auto* value = given_->if_contains(name);
  return value && !value->is_null();
}

std::string Arguments::text(std::string_view name, bool required) {
  if (!has(name)) {
    if (required) wrong(name, "field required");
    return "";
  }
  const auto& value = given_->at(name);
  if (value.is_string()) return std::string{value.get_string()};
  wrong(name, "str type expected");
  return "";
}

std::optional<bool> Arguments::truth(std::string_view name, bool required) {
  if (!has(name)) {
    if (required) wrong(name, "field required");
    return std::nullopt;
  }
  const auto& value = given_->at(name);
  if (value.is_bool()) return value.get_bool();
  const std::string word = value.is_string() ? to_lower(value.get_string()) : value.is_int64() ? std::to_string(value.get_int64()) : "";
  static constexpr std::array<std::string_view, 6> yes{"true", "1", "yes", "on", "t", "y"}, no{"false", "0", "no", "off", "f", "n"};
  if (std::find(yes.begin(), yes.end(), word) != yes.end()) return true;
  if (std::find(no.begin(), no.end(), word) != no.end()) return false;
  wrong(name, "value could not be parsed to a boolean");
  return std::nullopt;
}

std::optional<std::int64_t> Arguments::number(std::string_view name, bool required) {
  if (!has(name)) {
    if (required) wrong(name, "field required");
    return std::nullopt;
  }
  const auto& value = given_->at(name);
  if (value.is_int64()) return value.get_int64();
  std::int64_t number = 0;
  const std::string_view word = value.is_string() ? std::string_view{value.get_string()} : std::string_view{};
  const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (!word.empty() && failed == std::errc{} && end == word.data() + word.size()) return number;
  wrong(name, "value is not a valid integer");
  return std::nullopt;
}

void Arguments::check() const {
  if (errors_.empty()) return;
  std::vector<std::string> parts;
  for (const auto& [name, why] : errors_) parts.push_back("'" + name + "': '" + why + "'");
  throw Refusal{400, "Errors detected: " + std::to_string(errors_.size()) + " {" + join(parts, ", ") + "}"};
}

}  // namespace outpost::sample_builder
