#include "agent/config/job_file.hpp"

#include "agent/base/text.hpp"
#include "agent/config/fields.hpp"
#include "agent/config/small_file.hpp"

#include <system_error>

namespace outpost::config {

using namespace std::chrono_literals;

namespace {

std::filesystem::path absolute(const Reading& reading, const std::filesystem::path& path) {
  return (path.is_absolute() ? path : reading.directory / path).lexically_normal();
}

std::vector<LocalComponent> components_of(Reading& reading, Fields& fields, std::vector<KnownKey>& known) {
  std::vector<LocalComponent> components;
  const Node* list = fields.take_list("components");
  if (list == nullptr) return components;
  const std::string label = fields.label_of("components");
  for (const auto& item : items_of(reading, *list, label, "[{type: acme-storage, version: \"1.0\", path: ./out}]")) {
    if (item.kind != Node::Kind::map) {
      wrong_kind(reading, item, label, "a mapping (example: {type: acme-storage, version: \"1.0\", path: ./out})");
      continue;
    }
    Fields entry{reading, known, item, label, {"components"}};
    LocalComponent component;
    entry.read("type", component.type, as_name);
    entry.read("name", component.name, as_text);
    entry.read("version", component.version, as_text);
    entry.texts("tags", component.tags);
    entry.read("path", component.path, as_path);
    for (const char* key : {"type", "path"})
      if (item.find(key) == nullptr) entry.missing(key, "example: {type: acme-storage, version: \"1.0\", path: ./out}");
    entry.finish();
    std::error_code error;
    if (!component.path.empty() && !std::filesystem::exists(component.path, error)) entry.problem("path", component.path.string() + " does not exist");
    if (component.name.empty()) component.name = component.type + (component.version.empty() ? "" : " " + component.version);
    components.push_back(std::move(component));
  }
  return components;
}

std::map<std::string, SecretSource> secrets_of(Reading& reading, Fields& fields, std::vector<KnownKey>& known) {
  std::map<std::string, SecretSource> secrets;
  const Fields all = fields.child("secrets");
  for (const auto& item : all.node().items) {
    const std::string label = "secrets." + printable(item.key, 80);
    if (item.kind != Node::Kind::map) {
      wrong_kind(reading, item, label, "a mapping (example: {file: ./password})");
      continue;
    }
    Fields entry{reading, known, item, label, {"secrets", item.key}};
    entry.read("file", secrets[item.key].file, as_path);
    if (item.find("file") == nullptr) entry.missing("file", "example: file: ./password");
    entry.finish();
  }
  return secrets;
}

std::map<std::string, Resource> resources_of(Reading& reading, Fields& fields, std::vector<KnownKey>& known) {
  std::map<std::string, Resource> resources;
  const Fields all = fields.child("resources");
  for (const auto& item : all.node().items) {
    Fields entry{reading, known, item, "resources." + printable(item.key, 80), {"resources", item.key}};
    resources[item.key].name = item.key;
    entry.texts("hosts", resources[item.key].hosts);
    entry.finish();
  }
  return resources;
}

JobFile decode(Reading& reading, Fields& fields, std::vector<KnownKey>& known, const std::filesystem::path& file) {
  JobFile job;
  job.name = file.stem().string();
  fields.read("name", job.name, as_name);
  fields.read("topic", job.topic, as_text);
  fields.read("timeout", job.timeout, as_duration, 1s, 30 * 24h);
  fields.read("grace", job.grace, as_duration, 0s, 1h);
  fields.read("unpack", job.unpack, as_boolean);
  fields.texts("plugins", job.plugins);
  job.plugin_config = read_plugin_config(reading, fields, nullptr, job.plugins);
  job.secrets = secrets_of(reading, fields, known);
  job.resources = resources_of(reading, fields, known);
  std::vector<std::string> path;
  fields.texts("plugins_path", path);
  for (const auto& directory : path) job.plugins_path.push_back(absolute(reading, directory));
  if (job.plugins_path.empty()) job.plugins_path = {"/etc/outpost/plugins.d", "/usr/share/outpost/plugins"};
  job.components = components_of(reading, fields, known);
  if (job.plugins.empty()) fields.missing("plugins", "folders of hooks to run, example: plugins: [acme-storage]");
  fields.finish("x-");
  return job;
}

}  // namespace

boost::system::result<JobFile, Problems> load_job_file(const std::filesystem::path& file) {
  const ZoneLookup no_zones;
  std::error_code error;
  const auto whole = std::filesystem::absolute(file, error);
  Reading reading{whole.parent_path(), no_zones, {}, {}};
  const Origin place{file.string(), 0, 0};
  auto text = read_small_file(whole, yaml_bytes);
  if (!text) {
    reading.problems.list.push_back({place, text.error().message});
    return reading.problems;
  }
  auto parsed = parse_yaml(*text, file.filename().string(), reading.problems);
  if (parsed.complete && parsed.root.kind != Node::Kind::map)
    reading.problems.list.push_back({place, "is not a job file: a mapping is due (example: plugins: [acme-storage])"});
  if (!reading.problems.list.empty()) return reading.problems;
  std::vector<KnownKey> known;
  Fields fields{reading, known, parsed.root, "", {}};
  JobFile job = decode(reading, fields, known, file);
  if (!reading.problems.list.empty()) return reading.problems;
  job.origins = std::move(reading.origins);
  return job;
}

}  // namespace outpost::config
