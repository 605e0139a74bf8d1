#include "plugins/dlrn/promoter/container_list.hpp"

#include "agent/base/text.hpp"
#include "agent/config/values.hpp"
#include "agent/config/yaml_tree.hpp"
#include "plugins/dlrn/promoter/api_builder.hpp"

#include <algorithm>
#include <set>

namespace outpost::promoter {

namespace asio = boost::asio;
using config::Node;

namespace {

constexpr const char* project_with_list = "openstack-tripleo-common";

Result<Node> parse(std::string_view yaml, const std::string& name) {
  config::Problems problems;
  auto parsed = config::parse_yaml(yaml, name, problems);
  if (!problems.list.empty()) return Error{Fault::malformed, problems.list.front().text()};
  return std::move(parsed.root);
}

bool starts_with_and_drop(std::string& text, std::string_view prefix) {
  if (prefix.empty() || !text.starts_with(prefix)) return false;
  text.erase(0, prefix.size());
  return true;
}

/// "quay.io/x/openstack-nova-api:tag" and "{{namespace}}/{{name_prefix}}nova-api{{name_suffix}}:{{tag}}" are nova-api.
std::string short_name(std::string name, const std::string& prefix) {
  for (auto begin = name.find("{{"); begin != std::string::npos; begin = name.find("{{")) {
    const auto end = name.find("}}", begin);
    name.erase(begin, end == std::string::npos ? end : end + 2 - begin);
  }
  name.erase(0, name.rfind('/') == std::string::npos ? 0 : name.rfind('/') + 1);
  name.erase(std::min(name.find(':'), name.size()));
  if (!starts_with_and_drop(name, prefix)) starts_with_and_drop(name, "centos-binary-");
  return name;
}

/// What a registry takes as a name, so that nothing else gets into a command or an address.
bool is_image_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  return !name.empty() && name.front() != '-' && name.front() != '.' && std::all_of(name.begin(), name.end(), fits);
}

std::vector<std::string> texts_of(const Node& list) {
  std::vector<std::string> found;
  for (const auto& item : list.items)
    if (item.kind == Node::Kind::scalar) found.push_back(item.text);
  return found;
}

}  // namespace

Result<std::string> source_commit(std::string_view csv, std::string_view project, const std::string& name) {
  const auto lines = split(csv, '\n');
  const auto columns = split(trim(lines.front()), ',');
  const auto column = [&](std::string_view wanted) {
    return static_cast<std::size_t>(std::find(columns.begin(), columns.end(), wanted) - columns.begin());
  };
  const auto projects = column("Project"), commits = column("Source Sha");
  if (projects == columns.size() || commits == columns.size())
    return Error{Fault::malformed, name + ": it has no columns \"Project\" and \"Source Sha\""};
  for (const auto& line : lines) {
    const auto fields = split(trim(line), ',');
    if (fields.size() <= std::max(projects, commits) || fields[projects] != project) continue;
    if (!dlrn::is_commit_hash(fields[commits]))
      return Error{Fault::malformed, name + ": the Source Sha of " + std::string{project} + " is no commit"};
    return fields[commits];
  }
  return Error{Fault::refused, name + ": the project " + std::string{project} + " is not in it"};
}

Result<std::vector<std::string>> parse_container_list(std::string_view yaml, const Containers& containers,
                                                      const std::string& name) {
  const auto root = parse(yaml, name);
  if (!root) return root.error();
  const Node* list = root->find("container_images");
  if (!list || list->kind != Node::Kind::list) list = root->find("container_images_template");
  if (!list || list->kind != Node::Kind::list)
    return Error{Fault::malformed, name + ": there is no list \"container_images\" in it"};
  std::set<std::string> found;
  for (const auto& item : list->items) {
    const Node* image = item.find("imagename");
    const Node* source = item.find("image_source");
    // Lists of before there were several sources do not name one.
    if (source && source->text != "tripleo" && source->text != "kolla" && source->text != containers.build_method)
      continue;
    if (!image) return Error{Fault::malformed, item.origin.text() + ": an image without \"imagename\""};
    const std::string image_name = short_name(image->text, containers.prefix);
    if (!is_image_name(image_name))
      return Error{Fault::malformed, image->origin.text() + ": " + config::quote(image->text) + " names no image"};
    found.insert(image_name);
  }
  if (found.empty()) return Error{Fault::malformed, name + ": no image of the list counts"};
  return std::vector<std::string>{found.begin(), found.end()};
}

Result<std::vector<std::string>> parse_excludes(std::string_view yaml, const Release& release,
                                                const std::string& name) {
  const auto root = parse(yaml, name);
  if (!root) return root.error();
  const Node* all = root->find("exclude_containers");
  if (!all) return Error{Fault::malformed, name + ": there is no \"exclude_containers\" in it"};
  const Node* of_release = all->find(release.name);
  if (!of_release) return std::vector<std::string>{};
  if (of_release->kind == Node::Kind::list) return texts_of(*of_release);
  const Node* of_distro = of_release->find(release.distro_name + release.distro_version);
  return of_distro ? texts_of(*of_distro) : std::vector<std::string>{};
}

asio::awaitable<Result<std::vector<std::string>>> list_containers(http::Client& client, const Release& release,
                                                                  Candidate candidate, std::string label) {
  const Containers& containers = *release.containers;
  const std::string versions = tree_url(release.repo_url, candidate, label) + "/versions.csv";
  const auto csv = co_await fetch_text(client, versions);
  if (!csv) co_return csv.error();
  const auto commit = source_commit(*csv, project_with_list, versions);
  if (!commit) co_return commit.error();
  const std::string list_url = containers.list_base_url + "/" + *commit + "/" + containers.list_path;
  const auto list = co_await fetch_text(client, list_url);
  if (!list) co_return list.error();
  const auto names = parse_container_list(*list, containers, list_url);
  if (!names) co_return names.error();
  std::vector<std::string> excluded;
  if (!containers.exclude_url.empty()) {
    const auto text = co_await fetch_text(client, containers.exclude_url);
    if (!text) co_return text.error();
    auto read = parse_excludes(*text, release, containers.exclude_url);
    if (!read) co_return read.error();
    excluded = *std::move(read);
  }
  std::set<std::string> images{containers.extra.begin(), containers.extra.end()};
  for (const auto& each : *names)
    if (std::find(excluded.begin(), excluded.end(), each) == excluded.end()) images.insert(containers.prefix + each);
  if (images.empty()) co_return Error{Fault::refused, list_url + ": every image of it is excluded"};
  co_return std::vector<std::string>{images.begin(), images.end()};
}

}  // namespace outpost::promoter
