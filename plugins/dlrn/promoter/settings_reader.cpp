#include "plugins/dlrn/promoter/settings_reader.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/config/fields.hpp"
#include "plugins/dlrn/promoter/layers.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>
#include <utility>

namespace outpost::promoter {

using config::Fields;
using config::KnownKey;
using config::Node;
using config::Reading;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr std::array<std::pair<std::string_view, Client>, 4> client_names{{{"registries_client", Client::registries},
                                                                           {"qcow_client", Client::qcow},
                                                                           {"dockerfile_client", Client::dockerfile},
                                                                           {"dlrn_client", Client::dlrn}}};

/// As Python and Ansible take it: yes, True, "false".
std::optional<bool> as_flag(Reading& reading, const Node& node, std::string_view label) {
  const std::string word = to_lower(node.text);
  for (const char* yes : {"true", "yes", "on", "1"})
    if (node.kind == Node::Kind::scalar && word == yes) return true;
  for (const char* no : {"false", "no", "off", "0"})
    if (node.kind == Node::Kind::scalar && word == no) return false;
  reading.problem(node.origin, label, config::quote(node.text) + " is not true or false");
  return std::nullopt;
}

/// A whole number, in quotes or not.
std::optional<int> as_count(Reading& reading, const Node& node, std::string_view label, int least, int most) {
  Node plain = node;
  plain.quoted = false;
  const auto number = config::as_integer(reading, plain, label, least, most);
  if (!number) return std::nullopt;
  return static_cast<int>(*number);
}

/// A path of a user: ~ is the home directory.
std::optional<fs::path> as_home_path(Reading& reading, const Node& node, std::string_view label) {
  auto text = config::as_text(reading, node, label);
  if (!text) return std::nullopt;
  const char* home = std::getenv("HOME");
  if (text->starts_with("~/") && home) return fs::path{home} / text->substr(2);
  return fs::path{*text}.is_absolute() ? fs::path{*text} : reading.directory / *text;
}

class Reader {
 public:
  Reader(Reading& reading, const Node& root) : reading_{reading}, root_{root}, fields_{reading, known_, root, "", {}} {}

  Release read() {
    release_.name = required_text("release");
    fields_.read("distro_name", release_.distro_name, config::as_text);
    fields_.read("distro_version", release_.distro_version, config::as_text);
    release_.distro_name = to_lower(release_.distro_name);
    for (const char* key : {"dlrnauth_username", "username"}) fields_.read(key, release_.user, config::as_text);
    read_addresses();
    int newest = static_cast<int>(release_.newest);
    fields_.read("latest_hashes_count", newest, as_count, 1, 10'000);
    release_.newest = static_cast<std::size_t>(newest);
    fields_.read("dry_run", release_.dry_run, as_flag);
    read_containers();
    read_image_hosts();
    read_clients();
    read_targets();
    return std::move(release_);
  }

  /// Keys that are nearly one that counts.
  std::vector<std::string> warnings(const std::string& file) const {
    std::vector<std::string> names, lines;
    for (const auto& key : known_)
      if (key.path.size() == 1) names.push_back(key.path.front());
    for (const auto& item : root_.items) {
      if (item.origin.file != file || std::find(names.begin(), names.end(), item.key) != names.end()) continue;
      if (const auto meant = nearest(item.key, names))
        lines.push_back(item.origin.text() + ": the key " + config::quote(item.key) + " is not used (did you mean \"" +
                        *meant + "\"?)");
    }
    for (const auto& component : without_jobs_)
      lines.push_back(component.origin.text() + ": " + printable(component.key, 80) +
                      " has no jobs, so nothing of it is promoted");
    return lines;
  }

 private:
  std::string text(Fields& fields, const std::string& key, std::string otherwise = {}) {
    fields.read(key, otherwise, config::as_text);
    return otherwise;
  }
  std::string required_text(const std::string& key) {
    std::string found = text(fields_, key);
    if (found.empty()) fields_.missing(key, "example: " + key + ": master");
    return found;
  }

  void read_addresses() {
    fields_.read("api_url", release_.api_url, config::as_url);
    const std::string host = text(fields_, "dlrn_api_host"), scheme = text(fields_, "dlrn_api_scheme", "https"),
                      port = text(fields_, "dlrn_api_port"), endpoint = text(fields_, "dlrn_api_endpoint");
    if (release_.api_url.empty() && root_.find("api_url") == nullptr) {
      if (host.empty())
        fields_.missing("api_url",
                        "the address of the builder's API, example: https://trunk.example.org/api-centos9-master");
      release_.api_url =
          scheme + "://" + host + (port.empty() ? "" : ":" + port) + (endpoint.empty() ? "" : "/" + endpoint);
    }
    // The one that the release itself has comes before one of the defaults: these come last in the tree.
    for (const auto& item : root_.items) {
      if ((item.key != "repo_url" && item.key != "base_url") || !release_.repo_url.empty()) continue;
      fields_.read(item.key, release_.repo_url, config::as_url);
    }
    for (const char* key : {"repo_url", "base_url"}) fields_.take(key);
  }

  void read_clients() {
    const Node* node = fields_.take("allowed_clients", false);
    std::vector<std::string> names;
    if (node && node->kind == Node::Kind::list)
      names = config::as_texts(reading_, *node, "allowed_clients");
    else if (node)
      names = split(node->text, ',');
    for (const auto& name : names) {
      const auto known = std::find_if(client_names.begin(), client_names.end(),
                                      [&](const auto& each) { return each.first == trim(name); });
      if (known == client_names.end())
        reading_.problem(
            node->origin, "allowed_clients",
            config::quote(trim(name)) + " is none of registries_client, qcow_client, dockerfile_client, dlrn_client");
      else if (!is_configured(known->second))
        reading_.problem(node->origin, "allowed_clients",
                         std::string{known->first} + " is named, but there is no " + section_of(known->second));
    }
    for (const auto& [name, client] : client_names) {
      const bool named = std::any_of(names.begin(), names.end(),
                                     [&, wanted = name](const auto& each) { return trim(each) == wanted; });
      if (node ? named : is_configured(client)) release_.clients.push_back(client);
    }
  }
  [[nodiscard]] bool is_configured(Client client) const {
    switch (client) {
      case Client::registries: return release_.containers.has_value();
      case Client::qcow: return release_.images.has_value();
      case Client::dockerfile: return release_.dockerfiles.has_value();
      case Client::dlrn: return true;
    }
    return false;
  }
  static std::string section_of(Client client) {
    return client == Client::registries ? "containers_list_base_url"
           : client == Client::qcow     ? "overcloud_images"
                                        : "dockerfiles";
  }

  // Targets

  void read_targets() {
    const Fields all = fields_.child("promotions"), line = fields_.child("promote_from");
    if (all.node().items.empty() && line.node().items.empty())
      fields_.missing("promotions",
                      "example: promotions: {current-tripleo: {candidate_label: tripleo-ci-testing, criteria: [job]}}");
    Target otherwise;
    read_vote_rules(fields_, otherwise);
    for (const auto& item : all.node().items) read_target(item, otherwise);
    for (const auto& item : line.node().items) read_component_line(item, otherwise);
    if (line.node().items.empty()) return;
    if (!all.node().items.empty())
      fields_.problem("promote_from", "stands beside promotions; labels of components have a file of their own");
    // Containers and images are of all components.
    release_.clients = {Client::dlrn};
  }

  /// "promoted-components: component-ci-testing", and of each component the jobs, below a key of the label's name.
  void read_component_line(const Node& item, const Target& otherwise) {
    Target target = otherwise;
    const Node named = key_of(item);
    target.label = config::as_name(reading_, named, "promote_from").value_or("");
    target.candidate_label = config::as_name(reading_, item, "promote_from." + printable(item.key, 80)).value_or("");
    const Fields components = fields_.child(item.key);
    const auto known = release_.targets.size();
    for (const auto& each : components.node().items) {
      if (each.kind == Node::Kind::null || (each.kind == Node::Kind::list && each.items.empty())) {
        without_jobs_.push_back(each);
        continue;
      }
      Target one = target;
      one.component = config::as_name(reading_, key_of(each), printable(item.key, 80)).value_or("");
      one.where = each.origin;
      if (each.kind == Node::Kind::list) {
        one.criteria = config::as_texts(reading_, each, components.label_of(each.key));
        Fields nothing_more{reading_, known_, nothing_, components.label_of(each.key), {item.key, each.key}};
        check(nothing_more, one);
      } else {
        Fields entry{reading_, known_, each, components.label_of(each.key), {item.key, each.key}};
        read_criteria(entry, one);
      }
      release_.targets.push_back(std::move(one));
    }
    if (release_.targets.size() == known)
      fields_.problem(item.key, "no component has a job, so nothing would ever be promoted (example: " +
                                    printable(item.key, 80) + ": {compute: [job]})");
  }

  /// The key of an item, to be read like a value.
  static Node key_of(const Node& item) {
    Node key = item;
    key.kind = Node::Kind::scalar;
    key.text = item.key;
    return key;
  }

  /// Which votes count: of one target, or at the top of all that say nothing else.
  static void read_vote_rules(Fields& entry, Target& target) {
    if (const Node* rule = entry.take("vote_rule")) {
      target.any_success = rule->text == "any";
      if (rule->text != "any" && rule->text != "newest")
        entry.problem("vote_rule", config::quote(rule->text) + " is neither newest nor any");
    }
    std::chrono::milliseconds age{};
    entry.read("max_vote_age", age, config::as_duration, 1s, 3650 * 24h);
    if (age > 0ms) target.max_vote_age = std::chrono::duration_cast<std::chrono::seconds>(age);
  }

  void read_target(const Node& item, const Target& otherwise) {
    Target target = otherwise;
    target.where = item.origin;
    target.label = config::as_name(reading_, key_of(item), "promotions").value_or("");
    Fields entry{reading_, known_, item, "promotions." + printable(item.key, 80), {"promotions", item.key}};
    entry.read("candidate_label", target.candidate_label, config::as_name);
    read_criteria(entry, target);
    release_.targets.push_back(std::move(target));
  }

  void read_criteria(Fields& entry, Target& target) {
    entry.texts("criteria", target.criteria);
    read_alternatives(entry, target);
    read_vote_rules(entry, target);
    check(entry, target);
    entry.finish("x-");
  }

  void read_alternatives(Fields& entry, Target& target) {
    const Fields all = entry.child("alternative_criteria");
    for (const auto& item : all.node().items) {
      auto jobs = item.kind == Node::Kind::scalar ? std::vector<std::string>{item.text}
                                                  : config::as_texts(reading_, item, all.label_of(item.key));
      if (std::find(target.criteria.begin(), target.criteria.end(), item.key) == target.criteria.end())
        reading_.problem(item.origin, all.label_of(item.key),
                         "is an alternative to a job that is not among the criteria" +
                             config::suggestion(item.key, target.criteria));
      target.alternatives[item.key] = std::move(jobs);
    }
  }

  void check(Fields& entry, const Target& target) {
    if (target.candidate_label.empty() && entry.node().find("candidate_label") == nullptr)
      entry.missing("candidate_label", "the label whose hashes are tested for this one");
    if (target.candidate_label == target.label && !target.label.empty())
      entry.problem("candidate_label", "is the target itself");
    if (target.criteria.empty()) entry.problem("criteria", "no job is named; every hash would be promoted untested");
    for (const char* reserved : {"current", "consistent"})
      if (target.label == reserved)
        reading_.problem(target.where, "promotions",
                         std::string{reserved} + " is the builder's own label, nothing can be promoted to it");
    std::set<std::string> seen;
    for (const auto& job : target.criteria)
      if (!seen.insert(job).second) entry.problem("criteria", config::quote(job) + " is named twice");
  }

  // Containers

  void read_containers() {
    Fields section = fields_.child("containers");
    const auto either = [&](const std::string& key) { return text(section, key, text(fields_, key)); };
    Containers containers;
    containers.list_base_url = either("containers_list_base_url");
    containers.list_path = either("containers_list_path");
    containers.exclude_url = either("containers_list_exclude_config");
    containers.prefix = either("container_preffix");
    if (containers.prefix.empty()) containers.prefix = "openstack-";
    if (const auto method = either("build_method"); !method.empty()) containers.build_method = method;
    fields_.texts("extra_containers", containers.extra);
    const std::string family = "tripleo" + (release_.name == "ussuri" ? std::string{"u"} : release_.name);
    containers.source = {.host = "quay.rdoproject.org", .name_space = text(fields_, "source_namespace", family)};
    const std::string target_space = text(fields_, "target_namespace", family);
    read_registries(containers, target_space);
    bool push = true, lists = false, power = true;
    fields_.read("manifest_push", lists, as_flag);
    fields_.read("ppc_manifests", power, as_flag);
    if (lists) containers.platforms = power ? std::vector<std::string>{"x86_64", "ppc64le"} : std::vector<std::string>{"x86_64"};
    fields_.read("target_registries_push", push, as_flag);
    if (!push) containers.targets.clear();
    if (containers.list_base_url.empty()) return;
    while (containers.list_base_url.ends_with('/')) containers.list_base_url.pop_back();
    if (containers.list_path.empty())
      reading_.problem(root_.origin, "containers_list_path", "is missing, but there is a containers_list_base_url");
    if (release_.repo_url.empty())
      fields_.missing("repo_url", "the builder's web tree, whose versions.csv says which containers there are");
    release_.containers = std::move(containers);
  }

  void read_registries(Containers& containers, const std::string& target_space) {
    const Node* list = fields_.take_list("registries");
    if (!list) {
      const bool quay = release_.distro_name == "centos" && release_.name != "victoria";
      containers.targets.push_back({.host = quay ? "quay.io" : "docker.io", .name_space = target_space});
      return;
    }
    bool has_source = false;
    for (const auto& item : config::items_of(reading_, *list, "registries", "[{type: target, host: quay.io}]")) {
      Fields entry{reading_, known_, item, "registries", {"registries"}};
      Registry registry;
      registry.host = text(entry, "host", "localhost");
      if (const auto port = text(entry, "port"); !port.empty()) registry.host += ":" + port;
      entry.read("secure", registry.secure, as_flag);
      registry.user = text(entry, "user");
      registry.password_variable = text(entry, "password_variable");
      const std::string type = text(entry, "type"), name = text(entry, "name"), schema = text(entry, "schema");
      const bool is_source = type == "source";
      registry.name_space = text(entry, "namespace", is_source ? containers.source.name_space : target_space);
      if (!is_source && type != "target") entry.problem("type", config::quote(type) + " is neither source nor target");
      entry.finish("x-");
      if (!is_source)
        containers.targets.push_back(std::move(registry));
      else if (!std::exchange(has_source, true))
        containers.source = std::move(registry);
    }
  }

  // Images

  void read_image_hosts() {
    const std::string stage_root = text(fields_, "stage_root", "/var/www/html"),
                      wanted = text(fields_, "default_qcow_server");
    Fields images = fields_.child("overcloud_images");
    const Fields servers = images.child("qcow_servers");
    std::vector<std::string> files;
    images.texts("qcow_images", files);
    for (const auto& item : servers.node().items) {
      if (!wanted.empty() && item.key != wanted) continue;
      release_.images = image_host(item, servers.label_of(item.key), stage_root);
      release_.images->files = files;
      break;
    }
    if (!wanted.empty() && !servers.node().items.empty() && !release_.images)
      fields_.problem("default_qcow_server", config::quote(wanted) + " is none of overcloud_images.qcow_servers");
    if (const Node* source = images.take("source", false))
      release_.image_source = image_source(*source, images.label_of("source"), servers.node(), stage_root);
    if (const Node* node = fields_.take_list("dockerfiles")) {
      release_.dockerfiles = image_host(*node, "dockerfiles", stage_root);
      if (const Node* source = node->find("source"))
        release_.dockerfile_source = image_source(*source, "dockerfiles.source", servers.node(), stage_root);
    }
    for (const auto& [place, source] : {std::pair{&release_.images, &release_.image_source}, {&release_.dockerfiles, &release_.dockerfile_source}})
      if (*source && *place && (*source)->host == (*place)->host && (*source)->port == (*place)->port && (*source)->directory == (*place)->directory)
        fields_.problem(place == &release_.images ? "overcloud_images" : "dockerfiles", "source is the directory itself");
  }

  /// The name of one of the servers, or one that is not among them.
  ImageHost image_source(const Node& node, const std::string& label, const Node& servers,
                         const std::string& stage_root) {
    if (node.kind != Node::Kind::scalar) return image_host(node, label, stage_root);
    if (const Node* server = servers.find(node.text)) return image_host(*server, label, stage_root);
    std::vector<std::string> names;
    for (const auto& item : servers.items) names.push_back(item.key);
    reading_.problem(node.origin, label, config::quote(node.text) + " is none of overcloud_images.qcow_servers" + config::suggestion(node.text, names));
    return {};
  }

  ImageHost image_host(const Node& node, const std::string& label, const std::string& stage_root) {
    Fields entry{reading_, known_, node, label, {label}};
    ImageHost host;
    host.user = text(entry, "user");
    host.host = text(entry, "host", "localhost");
    const std::string client = text(entry, "client", host.host == "localhost" ? "local" : "sftp");
    host.sftp = client == "sftp";
    if (client != "sftp" && client != "local")
      entry.problem("client", config::quote(client) + " is neither sftp nor local");
    entry.read("port", host.port, as_count, 1, 65535);
    for (const char* key : {"key", "keypath"}) entry.read(key, host.key, as_home_path);
    entry.read("known_hosts", host.known_hosts, as_home_path);
    const std::string root = text(entry, "root");
    fs::path path =
        fs::path{stage_root} / root / (release_.distro_name + release_.distro_version) / release_.name / "rdo_trunk";
    host.directory = text(entry, "directory", path.lexically_normal().string());
    entry.texts("files", host.files);
    return host;
  }

  Reading& reading_;
  const Node& root_;
  std::vector<KnownKey> known_;
  Fields fields_;
  Release release_;
  std::vector<Node> without_jobs_;  ///< Components.
  const Node nothing_{};
};

}  // namespace

std::string_view to_string(Client client) {
  for (const auto& [name, each] : client_names)
    if (each == client) return name;
  return "";
}

boost::system::result<LoadedRelease, config::Problems> load_release(const fs::path& file) {
  std::error_code error;
  const fs::path whole = fs::absolute(file, error);
  const config::ZoneLookup no_zones;
  Reading reading{whole.parent_path(), no_zones, {}, {}};
  LoadedRelease loaded;
  const bool is_yaml = file.extension() == ".yaml" || file.extension() == ".yml";
  const Node root = is_yaml ? read_layers(file.has_parent_path() ? file : "." / file, reading.problems)
                            : read_old_form(file, reading.problems, loaded.warnings);
  if (root.kind == Node::Kind::map) {
    Reader reader{reading, root};
    loaded.release = reader.read();
    for (auto& line : reader.warnings(root.origin.file)) loaded.warnings.push_back(std::move(line));
  }
  if (!reading.problems.list.empty()) return reading.problems;
  return loaded;
}

}  // namespace outpost::promoter
