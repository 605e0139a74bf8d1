#pragma once

#include "agent/config/problem.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outpost::promoter {

/// Jobs that may stand in for another one.
using Alternatives = std::map<std::string, std::vector<std::string>>;

/// A label of the whole builder, or of one of its components.
struct Label {
  std::string name;            ///< "current-tripleo"
  std::string component = {};  ///< "compute"; empty: of the whole builder.

  /// As the web tree has it: "current-tripleo", "component/compute/promoted-components".
  [[nodiscard]] std::string text() const { return component.empty() ? name : "component/" + component + "/" + name; }
  /// What it named before.
  [[nodiscard]] Label previous() const { return {"previous-" + name, component}; }
};

/// One stage: what may move from one label to the next.
struct Target {
  std::string label;                  ///< "current-tripleo"
  std::string component;              ///< Whose builds these labels name; empty: those of the whole builder.
  std::string candidate_label;        ///< "tripleo-ci-testing"
  std::vector<std::string> criteria;  ///< Every one of these jobs has to have succeeded.
  Alternatives alternatives;
  /// One success of a job counts whatever it said later, as the old promoter had it; else its newest vote counts.
  bool any_success = false;
  std::optional<std::chrono::seconds> max_vote_age;  ///< Older votes do not count.
  config::Origin where;

  [[nodiscard]] Label from() const { return {candidate_label, component}; }
  [[nodiscard]] Label to() const { return {label, component}; }
  /// Whether somebody means this one: "current-tripleo", "component/compute/promoted-components", and
  /// "promoted-components" for those of all components.
  [[nodiscard]] bool is_meant_by(const std::string& text) const { return text == label || text == to().text(); }
};

/// A container registry, and our namespace in it.
struct Registry {
  std::string host;  ///< "quay.io", "localhost:5000"
  std::string name_space;
  bool secure = true;  ///< https with a certificate that is checked.
  std::string user;
  std::string password_variable;  ///< The variable of the environment that holds the password.

  /// "quay.io/tripleomaster/nova-api:tag"
  [[nodiscard]] std::string reference(const std::string& image, const std::string& tag) const {
    return host + "/" + name_space + "/" + image + ":" + tag;
  }
};

struct Containers {
  Registry source;
  std::vector<Registry> targets;
  std::string list_base_url, list_path;  ///< Between them stands the commit of tripleo-common.
  std::string exclude_url;               ///< Empty: nothing is excluded.
  std::string prefix = "openstack-";     ///< Removed from the names in the list.
  std::string build_method = "tripleo";  ///< "kolla": its own images count too.
  std::vector<std::string> extra;        ///< Images that are in no list, such as the base image.
  /// Of images with the tags <hash>_<platform> a list <hash>_manifest is made; the first platform has to be there, of
  /// the others those that all images have. Empty: no lists are made.
  std::vector<std::string> platforms;
};

/// Where directories of a hash lie, and links of labels beside them.
struct ImageHost {
  bool sftp = false;  ///< Else a directory of this machine.
  std::string user, host;
  int port = 22;
  std::filesystem::path key, known_hosts;
  std::string directory;           ///< Holds the directories.
  std::vector<std::string> files;  ///< Each has to be there, before the label moves.
};

/// The parts of a promotion, by the names of the old promoter's classes.
enum class Client { registries, qcow, dockerfile, dlrn };
[[nodiscard]] std::string_view to_string(Client client);

/// All about the promotions of one release.
struct Release {
  std::string name, distro_name, distro_version;
  std::string api_url;   ///< Of the builder's API, without a slash at its end.
  std::string repo_url;  ///< Of its web tree, likewise.
  std::string user;
  std::size_t newest = 10;  ///< How many candidates are looked at.
  bool dry_run = false;
  std::vector<Client> clients;  ///< In the order in which they go.
  std::vector<Target> targets;  ///< In the order of the file.
  std::optional<Containers> containers;
  std::optional<ImageHost> images, dockerfiles;
  std::optional<ImageHost> image_source, dockerfile_source;  ///< Where directories are that are not there yet.

  /// "centos9-master": for files and messages.
  [[nodiscard]] std::string key() const {
    const std::string distro = distro_name + distro_version;
    return distro.empty() ? name : distro + "-" + name;
  }
};

}  // namespace outpost::promoter
