#include "agent/config/effective.hpp"

#include "agent/base/text.hpp"
#include "agent/config/decode.hpp"
#include "agent/config/layers.hpp"

#include <algorithm>

namespace outpost::config {
namespace {

/// A value as one would write it in one line.
std::string written(const Node& node) {
  std::vector<std::string> parts;
  switch (node.kind) {
    case Node::Kind::null: return "";
    case Node::Kind::scalar: return node.text;
    case Node::Kind::list:
      for (const auto& item : node.items) parts.push_back(written(item));
      return "[" + join(parts, ", ") + "]";
    case Node::Kind::map:
      for (const auto& item : node.items) parts.push_back(item.key + ": " + written(item));
      return "{" + join(parts, ", ") + "}";
  }
  return "";
}

/// The node at a path; jobs are found by their name.
const Node* find(const Node& tree, const std::vector<std::string>& path) {
  const Node* at = &tree;
  for (const auto& part : path) {
    const Node* next = at->find(part);
    if (at->kind == Node::Kind::list)
      for (const auto& item : at->items)
        if (const Node* name = item.find("name"); name && name->text == part) next = &item;
    if (!next || next->kind == Node::Kind::null) return nullptr;
    at = next;
  }
  return at;
}

/// Whether keys below this one are listed by themselves.
bool has_parts(const KnownKey& key, const std::vector<KnownKey>& known) {
  return std::any_of(known.begin(), known.end(), [&](const KnownKey& other) {
    return other.path.size() > key.path.size() && std::equal(key.path.begin(), key.path.end(), other.path.begin());
  });
}

}  // namespace

std::vector<EffectiveKey> effective(const Texts& texts, const std::filesystem::path& directory, const Environment& environment,
                                    std::span<const SourceType> source_types) {
  Problems problems;
  Layers layers = lay_texts(texts, problems);
  const ZoneLookup zones = zone_by_name;
  const auto keys_of = [&] {
    std::vector<KnownKey> known;
    Reading reading{.directory = directory, .zones = zones, .problems = {}, .origins = {}};
    (void)decode(reading, layers.tree, source_types, known);
    return known;
  };
  apply_environment(layers.tree, environment, keys_of(), problems);
  const auto known = keys_of();

  std::vector<EffectiveKey> keys;
  for (const auto& key : known) {
    if (key.path.back() == "plugin_config" || has_parts(key, known)) continue;
    const Node* node = find(layers.tree, key.path);
    if (!node && key.otherwise.empty()) continue;
    EffectiveKey shown{.path = join(key.path, "."), .value = node ? written(*node) : key.otherwise, .origin = {}, .hidden = key.is_private && node};
    if (node) shown.origin = node->origin.text();
    if (shown.hidden) shown.value.clear();
    const auto same = std::find_if(keys.begin(), keys.end(), [&](const auto& other) { return other.path == shown.path; });
    if (same == keys.end()) keys.push_back(std::move(shown));
  }
  return keys;
}

}  // namespace outpost::config
