#include "plugins/dlrn/promoter/layers.hpp"

#include "agent/base/text.hpp"
#include "agent/config/small_file.hpp"
#include "agent/config/values.hpp"
#include "plugins/dlrn/promoter/ini_tree.hpp"

#include <optional>
#include <system_error>

namespace outpost::promoter {

using config::Node;
using config::Parsed;
using config::Problems;
namespace fs = std::filesystem;

namespace {

using Parser = Parsed (*)(std::string_view text, const std::string& file, Problems& problems);

/// A mapping; null when the file could not be read as one.
Node read_file(const fs::path& file, Parser parser, Problems& problems) {
  const auto text = config::read_small_file(file, config::yaml_bytes);
  if (!text) {
    problems.list.push_back({{file.string(), 0, 0}, text.error().message});
    return {};
  }
  const auto before = problems.list.size();
  Parsed parsed = parser(*text, file.string(), problems);
  if (!parsed.complete || problems.list.size() > before) return {};
  if (parsed.root.kind != Node::Kind::map) {
    problems.list.push_back({{file.string(), 0, 0}, "is not a configuration: lines of \"key: value\" are due"});
    return {};
  }
  return std::move(parsed.root);
}

/// Values of templates that name templates end somewhere; a circle does not.
constexpr int deepest_template = 8;

class Templates {
 public:
  Templates(const Node& keys, Problems& problems) : keys_{keys}, problems_{problems} {}

  void fill(Node& node) {
    if (node.kind == Node::Kind::scalar && node.text.find("{{") != std::string::npos)
      if (auto text = filled(node.text, node, 0)) node.text = *std::move(text);
    for (auto& item : node.items) fill(item);
  }

 private:
  std::optional<std::string> filled(std::string_view text, const Node& place, int depth) {
    std::string result;
    for (;;) {
      const auto begin = text.find("{{");
      result += text.substr(0, begin);
      if (begin == std::string_view::npos) return result;
      const auto end = text.find("}}", begin);
      if (end == std::string_view::npos) return problem(place, "{{ without }}");
      const std::string name{trim(text.substr(begin + 2, end - begin - 2))};
      const auto value = value_of(name, place, depth);
      if (!value) return std::nullopt;
      result += *value;
      text = text.substr(end + 2);
    }
  }

  std::optional<std::string> value_of(const std::string& name, const Node& place, int depth) {
    if (depth == deepest_template) return problem(place, "{{ " + printable(name, 80) + " }} leads back to itself");
    const Node* node = keys_.find(name);
    if (node && node->kind == Node::Kind::scalar) return filled(node->text, place, depth + 1);
    if (node && node->kind == Node::Kind::null) return std::string{};
    if (name == "distro") return filled("{{ distro_name }}{{ distro_version }}", place, depth + 1);
    return problem(place, "{{ " + printable(name, 80) + " }} names no key with a single value");
  }

  std::nullopt_t problem(const Node& place, std::string message) {
    problems_.list.push_back({place.origin, config::quote(place.key) + ": " + std::move(message)});
    return std::nullopt;
  }

  const Node& keys_;
  Problems& problems_;
};

/// A key of [promote_from] and the section of its jobs, as the YAML has them.
Node promotion_of(const Node& from, const Node& file, Problems& problems) {
  Node promotion;
  promotion.kind = Node::Kind::map;
  promotion.key = from.key;
  promotion.origin = from.origin;
  Node label = from;
  label.key = "candidate_label";
  promotion.items.push_back(std::move(label));
  const Node* jobs = file.find(from.key);
  if (!jobs) {
    problems.list.push_back({from.origin, "there is no section [" + printable(from.key, 80) + "] with the jobs that " +
                                              printable(from.key, 80) + " needs"});
    return promotion;
  }
  Node criteria;
  criteria.kind = Node::Kind::list;
  criteria.key = "criteria";
  criteria.origin = jobs->origin;
  for (Node job : jobs->items) {
    if (job.kind != Node::Kind::null)
      problems.list.push_back(
          {job.origin, config::quote(job.key) + ": a job stands alone in its line, without a value"});
    job.kind = Node::Kind::scalar;
    job.text = std::exchange(job.key, {});
    criteria.items.push_back(std::move(job));
  }
  promotion.items.push_back(std::move(criteria));
  return promotion;
}

}  // namespace

void fill_in_templates(Node& root, Problems& problems) {
  const Node keys = root;
  Templates{keys, problems}.fill(root);
}

Node read_layers(const fs::path& file, Problems& problems) {
  Node root = read_file(file, config::parse_yaml, problems);
  if (root.kind != Node::Kind::map) return {};
  const fs::path environment = file.parent_path().parent_path();
  for (const auto& below : {environment / "defaults.yaml", environment.parent_path() / "global_defaults.yaml"}) {
    std::error_code error;
    if (!fs::exists(below, error)) continue;
    Node layer = read_file(below, config::parse_yaml, problems);
    for (auto& item : layer.items)
      if (!root.find(item.key)) root.items.push_back(std::move(item));
  }
  fill_in_templates(root, problems);
  return root;
}

Node read_old_form(const fs::path& file, Problems& problems, std::vector<std::string>& warnings) {
  Node ini = read_file(file, parse_ini, problems);
  if (ini.kind != Node::Kind::map) return {};
  Node root;
  root.kind = Node::Kind::map;
  root.origin = ini.origin;
  if (const Node* main = ini.find("main"))
    root.items = main->items;
  else
    problems.list.push_back({ini.origin, "there is no section [main]"});
  // The reader of this form folds the case of keys; jobs, which are keys too, keep theirs with us.
  for (auto& item : root.items) item.key = to_lower(item.key);
  const Node* from = ini.find("promote_from");
  if (!from) {
    problems.list.push_back({ini.origin, "there is no section [promote_from] with lines of \"target: candidate\""});
    return root;
  }
  Node promotions;
  promotions.kind = Node::Kind::map;
  promotions.key = "promotions";
  promotions.origin = from->origin;
  for (const auto& item : from->items) promotions.items.push_back(promotion_of(item, ini, problems));
  for (const auto& section : ini.items)
    if (section.key != "main" && section.key != "promote_from" && !from->find(section.key))
      warnings.push_back(section.origin.text() + ": nothing in [promote_from] uses the section [" +
                         printable(section.key, 80) + "]");
  root.items.push_back(std::move(promotions));
  return root;
}

}  // namespace outpost::promoter
