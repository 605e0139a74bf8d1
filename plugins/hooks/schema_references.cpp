#include "plugins/hooks/schema_references.hpp"

#include "agent/base/text.hpp"
#include "agent/config/values.hpp"
#include "plugins/hooks/schema_words.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

namespace outpost::hooks {

using config::Node;
using config::quote;

namespace {

/// Keywords whose schemas look at the same value as the schema in which they stand.
constexpr std::array<std::string_view, 4> alone{"else", "if", "not", "then"};
constexpr std::array<std::string_view, 4> several{"allOf", "anyOf", "dependencies", "oneOf"};

/// So many schemas may look at one value, one for the other's sake.
constexpr std::size_t longest = config::yaml_depth;
constexpr std::size_t endless = longest + 1;

/// `text` of a list is an index.
const Node* below(const Node& node, const std::string& text) {
  if (node.kind == Node::Kind::map) return node.find(text);
  std::size_t index = 0;
  const auto* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, index);
  const bool there = node.kind == Node::Kind::list && error == std::errc{} && rest == end && index < node.items.size();
  return there ? &node.items[index] : nullptr;
}

}  // namespace

void ReferenceCheck::check(const Node& schema, const std::string& label) {
  const Node* reference = schema.find("$ref");
  if (reference == nullptr) return;
  const std::string place = label + ".$ref";
  const Node* target = target_of(*reference, &place);
  if (target == nullptr) return;
  const auto refuse = [&](const std::string& message) {
    problems_.list.push_back({reference->origin, place + ": " + quote(reference->text) + " " + message});
  };
  const bool is_boolean = target->kind == Node::Kind::scalar && (target->text == "true" || target->text == "false");
  if (target->kind != Node::Kind::map && !is_boolean) return refuse("leads to something that is no schema (write #/definitions/NAME)");
  lengths_[&schema] = endless;
  const auto most = lengths_[&schema] = length(*target, 1);
  if (most < longest) return;
  refuse("leads back to itself, or through more than " + std::to_string(longest) + " schemas (write what is due there)");
}

/// What a JSON pointer (RFC 6901) in a fragment means. Problems are noted when there is a `label`.
const Node* ReferenceCheck::target_of(const Node& reference, const std::string* label) {
  const auto refuse = [&](const std::string& message) -> const Node* {
    if (label) problems_.list.push_back({reference.origin, *label + ": " + quote(reference.text) + " " + message});
    return nullptr;
  };
  if (reference.text != "#" && !reference.text.starts_with("#/")) return refuse("leads out of this schema (write #/definitions/NAME)");
  const Node* at = &root_;
  const auto steps = split(reference.text, '/');
  bool is_name = false;
  for (auto step = steps.begin() + 1; step != steps.end(); ++step) {
    const bool at_schema = !std::exchange(is_name, false);
    if (at_schema && has_a_value(*step)) return refuse("leads to something that is no schema (write #/definitions/NAME)");
    is_name = at_schema && has_named_schemas(*step);
    const std::string name = replace_all(replace_all(percent_decode(*step), "~1", "/"), "~0", "~");
    const Node* next = below(*at, name);
    if (next == nullptr) {
      std::vector<std::string> names;
      for (const auto& each : at->items) names.push_back(each.key);
      return refuse("leads nowhere: there is no " + quote(name) + config::suggestion(name, names));
    }
    at = next;
  }
  return at;
}

/// How many schemas look at a value because `schema` does; `endless` when one of them is being counted already.
std::size_t ReferenceCheck::length(const Node& schema, std::size_t before) {
  if (before >= longest) return endless;
  if (const auto known = lengths_.find(&schema); known != lengths_.end()) return known->second;
  lengths_[&schema] = endless;
  std::size_t most = 0;
  const auto follow = [&](const Node& next) { most = std::max(most, length(next, before + 1)); };
  if (const Node* reference = schema.find("$ref"))
    if (const Node* target = target_of(*reference, nullptr)) follow(*target);
  for (const auto key : alone)
    if (const Node* next = schema.find(key)) follow(*next);
  for (const auto key : several)
    if (const Node* all = schema.find(key))
      for (const auto& next : all->items) follow(next);
  return lengths_[&schema] = std::min(most + 1, endless);
}

}  // namespace outpost::hooks
