#include "agent/http/message.hpp"

#include "agent/base/text.hpp"

#include <algorithm>

namespace outpost::http {

std::string_view Headers::get(std::string_view name) const {
  for (const auto& [field, value] : fields_)
    if (equal_ignoring_case(field, name)) return value;
  return {};
}

bool Headers::has(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(), [&](const auto& field) { return equal_ignoring_case(field.first, name); });
}

void Headers::set(std::string_view name, std::string value) {
  remove(name);
  fields_.emplace_back(std::string{name}, std::move(value));
}

void Headers::remove(std::string_view name) {
  std::erase_if(fields_, [&](const auto& field) { return equal_ignoring_case(field.first, name); });
}

std::uint64_t size_of(const Body& body) {
  const auto* text = std::get_if<std::string>(&body);
  return text ? text->size() : std::get<FileRange>(body).size;
}

}  // namespace outpost::http
