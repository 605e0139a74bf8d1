#include "agent/config/fields.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"

#include <algorithm>
#include <sstream>

namespace outpost::config {
namespace {

const Node& nothing() {
  static const Node empty{.kind = Node::Kind::map, .origin = {}, .key = {}, .text = {}, .items = {}};
  return empty;
}

}  // namespace

std::string shown(bool value) { return value ? "true" : "false"; }

std::string shown(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

std::string shown(std::chrono::milliseconds value) { return format_duration(value); }

std::string Fields::as_shown_size(const std::string& bytes) { return bytes.empty() ? "" : format_size(std::stoull(bytes)); }

Fields::Fields(Reading& reading, std::vector<KnownKey>& known, const Node& map, std::string label,
               std::vector<std::string> path)
    : reading_{reading},
      known_{known},
      map_{map.kind == Node::Kind::map ? map : nothing()},
      label_{std::move(label)},
      path_{std::move(path)} {
  if (map.kind != Node::Kind::map && map.kind != Node::Kind::null)
    wrong_kind(reading, map, label_.empty() ? "the file" : label_, "a mapping (lines of \"key: value\")");
}

std::string Fields::label_of(std::string_view key) const {
  return label_.empty() ? std::string{key} : label_ + "." + std::string{key};
}

std::string Fields::path_of(std::string_view key) const {
  return path_.empty() ? std::string{key} : join(path_, ".") + "." + std::string{key};
}

const Node* Fields::take(const std::string& key, bool single) {
  asked_.push_back(key);
  KnownKey known{.path = path_, .single = single};
  known.path.push_back(key);
  known_.push_back(std::move(known));
  const Node* value = map_.find(key);
  if (value == nullptr || value->kind == Node::Kind::null) return nullptr;
  const std::string path = path_of(key);
  reading_.origins.insert_or_assign(path, value->origin);
  if (value->kind == Node::Kind::list)
    for (std::size_t index = 0; index < value->items.size(); ++index)
      reading_.origins.insert_or_assign(path + "[" + std::to_string(index) + "]", value->items[index].origin);
  return value;
}

void Fields::texts(const std::string& key, std::vector<std::string>& into) {
  if (const Node* node = take_list(key)) into = as_texts(reading_, *node, label_of(key));
}

Fields Fields::child(const std::string& key) {
  const Node* node = take_list(key);
  auto path = path_;
  path.push_back(key);
  return {reading_, known_, node != nullptr ? *node : nothing(), label_of(key), std::move(path)};
}

void Fields::missing(std::string_view key, std::string_view advice) {
  const std::string place = label_.empty() ? "" : label_ + ": ";
  reading_.problems.list.push_back({map_.origin, place + "the key " + quote(key) + " is missing (" + std::string{advice} + ")",
                                    ProblemKind::missing_key});
}

void Fields::problem(const std::string& key, std::string_view message) {
  const Node* node = map_.find(key);
  reading_.problem(node != nullptr ? node->origin : map_.origin, label_of(key), message);
}

void Fields::not_yet(std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (map_.find(key) == nullptr) continue;
    problem(key, "not supported yet; remove the key");
    reported_.insert(key);
  }
}

void Fields::finish(std::string_view ignored_prefix, const std::function<std::string(std::string_view)>& meant) {
  for (const auto& item : map_.items) {
    if (std::find(asked_.begin(), asked_.end(), item.key) != asked_.end() || !reported_.insert(item.key).second)
      continue;
    if (!ignored_prefix.empty() && item.key.starts_with(ignored_prefix)) continue;
    const std::string own = meant ? meant(item.key) : "";
    const bool known = std::find(asked_.begin(), asked_.end(), own) != asked_.end();
    auto advice = known ? " (did you mean " + quote(own) + "?)" : suggestion(item.key, asked_);
    if (advice.empty()) advice = " (known keys: " + join(asked_, ", ") + ")";
    const std::string place = label_.empty() ? "" : label_ + ": ";
    reading_.problems.list.push_back({item.origin, place + "unknown key " + quote(item.key) + advice,
                                      ProblemKind::unknown_key});
  }
}

}  // namespace outpost::config
