#include "plugins/dlrn/documents.hpp"

#include "agent/base/text.hpp"
#include "agent/config/yaml_tree.hpp"
#include "agent/files/safe_path.hpp"
#include "agent/http/url.hpp"

#include <algorithm>
#include <charconv>

namespace outpost::dlrn {
namespace {

using config::Node;

/// Everything is text there; what is missing is the word None.
std::string text_of(const Node& commit, std::string_view key) {
  const Node* node = commit.find(key);
  if (node == nullptr || node->kind != Node::Kind::scalar || node->text == "None") return "";
  return node->text;
}

/// "1700087000", but also "1700087000.0".
std::chrono::sys_seconds moment_of(std::string_view text) {
  std::int64_t seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  constexpr std::int64_t year_9999 = 253'402'300'799;
  return std::chrono::sys_seconds{std::chrono::seconds{seconds < 0 || seconds > year_9999 ? 0 : seconds}};
}

}  // namespace

Result<std::vector<BuiltCommit>> parse_commit_yaml(const std::string& text, const std::string& where) {
  config::Problems problems;
  const auto parsed = config::parse_yaml(text, where, problems);
  const Node* list = parsed.complete && parsed.root.kind == Node::Kind::map ? parsed.root.find("commits") : nullptr;
  std::vector<BuiltCommit> commits;
  for (const auto& entry : list != nullptr ? list->items : std::vector<Node>{}) {
    if (entry.kind != Node::Kind::map) continue;
    BuiltCommit commit;
    commit.build = {text_of(entry, "commit_hash"), text_of(entry, "distro_hash"), text_of(entry, "extended_hash")};
    commit.component = text_of(entry, "component");
    commit.project = text_of(entry, "project_name");
    commit.status = text_of(entry, "status");
    commit.built_at = moment_of(text_of(entry, "dt_build"));
    if (is_commit_hash(commit.build.commit) && is_commit_hash(commit.build.distro)) commits.push_back(std::move(commit));
  }
  // Votes go to builds that succeeded only.
  const auto good = std::find_if(commits.begin(), commits.end(), [](const BuiltCommit& commit) { return commit.status.empty() || commit.status == "SUCCESS"; });
  if (good != commits.end()) std::rotate(commits.begin(), good, good + 1);
  if (commits.empty())
    return Error{Fault::malformed, where + ": no builder's commit.yaml: it has no entry with commit_hash and distro_hash"};
  return commits;
}

Result<std::vector<Repository>> parse_repo_file(std::string_view text, const std::string& where) {
  std::vector<Repository> repositories;
  Repository section;
  const auto keep = [&] {
    if (!section.baseurl.empty()) repositories.push_back(std::move(section));
    section = {};
  };
  for (const auto& raw : split(text, '\n')) {
    const auto line = trim(raw);
    if (line.starts_with('[') && line.ends_with(']')) {
      keep();
      section.id = line.substr(1, line.size() - 2);
    } else if (const auto equals = line.find('='); equals != std::string_view::npos && trim(line.substr(0, equals)) == "baseurl") {
      section.baseurl = trim(line.substr(equals + 1));
    }
  }
  keep();
  if (repositories.empty()) return Error{Fault::malformed, where + ": no repository file: it has no section with a baseurl"};
  return repositories;
}

std::optional<ComponentPlace> place_in_component(const std::string& baseurl) {
  std::string_view address = baseurl;
  while (address.ends_with('/')) address.remove_suffix(1);
  auto steps = split(address, '/');
  if (steps.size() < 5) return std::nullopt;
  steps.erase(steps.begin(), steps.end() - 5);
  for (auto& step : steps) step = percent_decode(step);
  const bool shaped = steps[0] == "component" && is_commit_hash(steps[4].substr(0, 40)) &&
                      steps[2] == steps[4].substr(0, 2) && steps[3] == steps[4].substr(2, 2);
  if (!shaped || !files::check_name(steps[1]) || !files::check_name(steps[4])) return std::nullopt;
  return ComponentPlace{steps[1], "component/" + percent_encode(steps[1]) + '/' + steps[2] + '/' + steps[3] + '/' +
                                      percent_encode(steps[4])};
}

Result<std::string> parse_md5(std::string_view text, const std::string& where) {
  const auto hash = trim(text);
  if (!is_aggregate_hash(hash))
    return Error{Fault::malformed, where + ": 32 hexadecimal digits are due, not \"" + printable(hash.substr(0, 60)) + "\": did something in between answer instead?"};
  return std::string{hash};
}

}  // namespace outpost::dlrn
