#include "agent/config/layers.hpp"

#include "agent/base/text.hpp"
#include "agent/config/small_file.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace outpost::config {
namespace {

namespace fs = std::filesystem;

const std::string* name_of(const Node& job) {
  const Node* name = job.find("name");
  return name != nullptr && name->kind == Node::Kind::scalar ? &name->text : nullptr;
}

Node* find_job(Node& jobs, std::string_view name) {
  for (auto& job : jobs.items)
    if (const auto* its_name = name_of(job); its_name != nullptr && *its_name == name) return &job;
  return nullptr;
}

/// Two jobs of one name in one file would silently become one.
void find_double_jobs(const Node& root, Problems& problems) {
  const Node* jobs = root.find("jobs");
  if (jobs == nullptr || jobs->kind != Node::Kind::list) return;
  std::map<std::string, int> seen;
  for (const auto& job : jobs->items) {
    const auto* name = name_of(job);
    if (name == nullptr) continue;
    const auto [first, is_new] = seen.emplace(*name, job.find("name")->origin.line);
    if (!is_new)
      problems.list.push_back({job.find("name")->origin, "jobs.name: " + quote(*name) +
                                                             " is the name of two jobs (first in line " +
                                                             std::to_string(first->second) + ")"});
  }
}

/// The names in conf.d that count, sorted.
std::vector<std::string> overrides_of(const fs::path& directory, Problems& problems) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry{directory, error}, end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().native();
    if (name.starts_with('.')) continue;
    if (name.ends_with(".yml")) names.push_back(name);
    if (name.ends_with(".yaml"))
      problems.list.push_back({{"conf.d/" + printable(name, 255), 0, 0}, "not read: its name has to end in .yml"});
  }
  if (error && error != std::errc::no_such_file_or_directory)
    problems.list.push_back({{"conf.d", 0, 0}, "cannot be read: " + error.message()});
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

void lay_over(Node& base, Node over) {
  if (base.kind != Node::Kind::map || over.kind != Node::Kind::map) {
    base = std::move(over);
    return;
  }
  base.origin = over.origin;
  for (auto& item : over.items) {
    Node* existing = base.find(item.key);
    if (existing == nullptr) {
      base.items.push_back(std::move(item));
    } else if (item.key == "jobs" && existing->kind == Node::Kind::list && item.kind == Node::Kind::list) {
      for (auto& job : item.items) {
        const auto* name = name_of(job);
        Node* same = name != nullptr ? find_job(*existing, *name) : nullptr;
        if (same != nullptr)
          lay_over(*same, std::move(job));
        else
          existing->items.push_back(std::move(job));
      }
    } else {
      lay_over(*existing, std::move(item));
    }
  }
}

ReadTexts read_texts(const fs::path& file, Problems& problems) {
  const fs::path directory = file.parent_path() / "conf.d";
  std::vector<std::pair<std::string, fs::path>> files{{printable(file.filename().native(), 255), file}};
  for (const auto& name : overrides_of(directory, problems))
    files.emplace_back("conf.d/" + printable(name, 255), directory / name);
  ReadTexts read;
  for (const auto& [name, path] : files) {
    auto text = read_small_file(path, yaml_bytes);
    if (!text) {
      problems.list.push_back({{name, 0, 0}, text.error().message});
      read.complete = false;
    }
    read.texts.push_back({name, text ? std::move(*text) : std::string{}});
  }
  return read;
}

Layers lay_texts(const Texts& texts, Problems& problems) {
  Layers layers;
  layers.tree.kind = Node::Kind::map;
  if (!texts.empty()) layers.tree.origin = {texts.front().name, 0, 0};
  for (const auto& [name, text] : texts) {
    layers.files.push_back(name);
    Parsed parsed = parse_yaml(text, name, problems);
    layers.complete = layers.complete && parsed.complete;
    if (parsed.root.kind == Node::Kind::null) continue;
    if (parsed.root.kind != Node::Kind::map) {
      problems.list.push_back({parsed.root.origin, "lines of \"key: value\" are due (example: slots: 2)"});
      layers.complete = false;
      continue;
    }
    find_double_jobs(parsed.root, problems);
    lay_over(layers.tree, std::move(parsed.root));
  }
  return layers;
}

namespace {

constexpr std::string_view prefix = "OUTPOST_CFG_";

/// {"sources", "my-dci", "url"} is SOURCES_MY_DCI_URL.
std::string variable_of(const std::vector<std::string>& path) {
  std::string name = to_upper(join(path, "_"));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')); }, '_');
  return std::string{prefix} + name;
}

void set(Node& tree, const std::vector<std::string>& path, Node value) {
  Node* at = &tree;
  for (std::size_t index = 0; index + 1 < path.size(); ++index) {
    Node* next = at->kind == Node::Kind::list ? find_job(*at, path[index]) : at->find(path[index]);
    if (next == nullptr) {
      Node map;
      map.key = path[index];
      at->items.push_back(std::move(map));
      next = &at->items.back();
    }
    if (next->kind != Node::Kind::map && next->kind != Node::Kind::list) {
      next->kind = Node::Kind::map;
      next->origin = value.origin;
    }
    at = next;
  }
  value.key = path.back();
  if (Node* existing = at->find(value.key))
    *existing = std::move(value);
  else
    at->items.push_back(std::move(value));
}

}  // namespace

void apply_environment(Node& tree, const Environment& environment, const std::vector<KnownKey>& known,
                       Problems& problems) {
  std::map<std::string, std::set<std::vector<std::string>>> paths;
  std::set<std::string> not_single;
  for (const auto& key : known) {
    const std::string variable = variable_of(key.path);
    if (key.single)
      paths[variable].insert(key.path);
    else
      not_single.insert(variable);
  }
  std::vector<std::string> variables;
  for (const auto& [variable, path] : paths) variables.push_back(variable);

  for (const auto& [variable, value] : environment) {
    if (!variable.starts_with(prefix)) continue;
    const Origin origin{printable(variable, 200), 0, 0};
    const auto found = paths.find(variable);
    if (found == paths.end()) {
      problems.list.push_back(
          {origin, not_single.contains(variable)
                       ? "a variable sets single values, not lists or mappings; write it into outpost.yml"
                       : "no key of outpost.yml has this name" + suggestion(variable, variables)});
    } else if (found->second.size() > 1) {
      std::string message = "may mean";
      const char* separator = " ";
      for (const auto& path : found->second) {
        message += separator + join(path, ".");
        separator = " or ";
      }
      problems.list.push_back({origin, message + "; write it into outpost.yml"});
    } else {
      Node node;
      node.kind = Node::Kind::scalar;
      node.origin = origin;
      node.text = value;
      set(tree, *found->second.begin(), std::move(node));
    }
  }
}

}  // namespace outpost::config
