#include "samples/dlrn-server/arguments.hpp"

#include "agent/base/text.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace outpost::sample_builder {
namespace {

namespace json = boost::json;

/// As Python's int() reads a text: blanks around it, a sign.
std::optional<std::int64_t> whole_number(std::string_view text) {
  text = trim(text);
  if (text.starts_with('+') && text.size() > 1 && text[1] != '-') text.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::int64_t> whole_number(const json::value& value) {
  if (value.is_int64()) return value.get_int64();
  if (value.is_bool()) return value.get_bool() ? 1 : 0;
  if (value.is_string()) return whole_number(std::string_view{value.get_string()});
  constexpr double most = 9e18;
  if (value.is_double() && std::abs(value.get_double()) < most) return static_cast<std::int64_t>(value.get_double());
  return std::nullopt;
}

}  // namespace

const json::value* Arguments::find(std::string_view name, bool required) {
  const auto* value = given_->if_contains(name);
  if (value == nullptr && required) wrong(name, "field required");
  if (value != nullptr && value->is_null() && required) wrong(name, "none is not an allowed value");
  return value != nullptr && !value->is_null() ? value : nullptr;
}

std::optional<std::string> Arguments::text(std::string_view name, bool required) {
  const auto* value = find(name, required);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return std::string{value->get_string()};
  wrong(name, "str type expected");
  return std::nullopt;
}

std::optional<std::string> Arguments::loose_text(std::string_view name, bool required) {
  const auto* value = given_->if_contains(name);
  if (value != nullptr && (value->is_number() || value->is_bool())) return json::serialize(*value);
  return text(name, required);
}

std::optional<bool> Arguments::truth(std::string_view name, bool required) {
  const auto* value = find(name, required);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  const bool is_number = value->is_number();
  const auto number = is_number ? value->to_number<double>() : 0.0;
  const std::string word = is_number ? (number == 1 ? "1" : number == 0 ? "0" : "") : value->is_string() ? to_lower(value->get_string()) : "";
  static constexpr std::array<std::string_view, 6> yes{"true", "1", "yes", "on", "t", "y"}, no{"false", "0", "no", "off", "f", "n"};
  if (std::find(yes.begin(), yes.end(), word) != yes.end()) return true;
  if (std::find(no.begin(), no.end(), word) != no.end()) return false;
  wrong(name, "value could not be parsed to a boolean");
  return std::nullopt;
}

std::optional<std::int64_t> Arguments::number(std::string_view name, bool required) {
  const auto* value = find(name, required);
  if (value == nullptr) return std::nullopt;
  const auto number = whole_number(*value);
  if (!number) wrong(name, "value is not a valid integer");
  return number;
}

std::optional<std::int64_t> Arguments::count(std::string_view name) {
  const auto given = number(name);
  if (given && *given < 0) wrong(name, "ensure this value is greater than or equal to 0");
  return given;
}

void Arguments::check() const {
  if (errors_.empty()) return;
  std::vector<std::string> parts;
  for (const auto& [name, why] : errors_) parts.push_back("'" + name + "': '" + why + "'");
  throw Refusal{400, "Errors detected: " + std::to_string(errors_.size()) + " {" + join(parts, ", ") + "}"};
}

}  // namespace outpost::sample_builder
