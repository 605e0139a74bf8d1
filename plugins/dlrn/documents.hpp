#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "plugins/dlrn/build_hash.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The files of a builder's web tree.
namespace outpost::dlrn {

/// One entry of commit.yaml.
struct BuiltCommit {
  BuildHash build;
  std::string component, project, status;  ///< Empty where the file says "None".
  std::chrono::sys_seconds built_at{};
};

/// First of all one that succeeded, if any did. malformed: not the YAML of a builder, or without a single hash.
[[nodiscard]] Result<std::vector<BuiltCommit>> parse_commit_yaml(const std::string& text, const std::string& where);

/// One section of delorean.repo.
struct Repository {
  std::string id, baseurl;
};

/// Those with a baseurl, in their order. malformed: there is none.
[[nodiscard]] Result<std::vector<Repository>> parse_repo_file(std::string_view text, const std::string& where);

/// Where a build of a component lies below a tree, whatever its builder calls the tree: a file of the builder's must not
/// send us to another server.
struct ComponentPlace {
  std::string component;
  std::string directory;  ///< "component/NAME/aa/bb/HASH", as it stands in an address.
};

/// Nothing when the address is not that of a component's build.
[[nodiscard]] std::optional<ComponentPlace> place_in_component(const std::string& baseurl);

/// The hash that delorean.repo.md5 holds. malformed for anything but 32 hexadecimal digits, such as a portal's page.
[[nodiscard]] Result<std::string> parse_md5(std::string_view text, const std::string& where);

}  // namespace outpost::dlrn
