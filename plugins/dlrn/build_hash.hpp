#pragma once

#include <string>
#include <string_view>

namespace outpost::dlrn {

/// One build of a package, as everybody names it.
struct BuildHash {
  std::string commit;    ///< 40 hexadecimal digits, of the source.
  std::string distro;    ///< 40 hexadecimal digits, of the packaging.
  /// Free text of at most 128 bytes, or empty. Builds of the same commit and distro differ only in this; where it is left
  /// out, the server takes the newest of them.
  std::string extended;

  friend bool operator==(const BuildHash&, const BuildHash&) = default;
  friend auto operator<=>(const BuildHash&, const BuildHash&) = default;
};

/// "<commit>_<distro>[_<extended>]", for people and as a component's id.
[[nodiscard]] std::string to_string(const BuildHash& hash);

/// The name of the build's directory in the web tree. The server's `repo_hash` lacks the extended part, so no address
/// may be made of that.
[[nodiscard]] std::string directory_name(const BuildHash& hash);

/// Where a build lies below `tree`; `component` is empty for a builder without components.
[[nodiscard]] std::string url_of(std::string_view tree, std::string_view component, const BuildHash& hash);

/// Where an aggregate lies: below the label that it was promoted to.
[[nodiscard]] std::string url_of_aggregate(std::string_view tree, std::string_view label, std::string_view aggregate);

[[nodiscard]] bool is_commit_hash(std::string_view text);     ///< 40 lower-case hexadecimal digits.
[[nodiscard]] bool is_aggregate_hash(std::string_view text);  ///< 32 of them.

}  // namespace outpost::dlrn
