#pragma once

#include "agent/config/problem.hpp"
#include "plugins/dlrn/promoter/settings.hpp"

#include <boost/system/result.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace outpost::promoter {

struct LoadedRelease {
  Release release;
  std::vector<std::string> warnings;  ///< Lines for a person, with their places.
};

/// Reads what promotes a release, in either of the forms that the old promoter had: a file that ends in .yaml or .yml,
/// anything else as ini. What is wrong comes with file, line and column, all of it at once.
///
/// YAML: keys that the file does not have are taken from `defaults.yaml` in the directory above its own, then from
/// `global_defaults.yaml` in the one above that, where these exist: the layout <root>/<environment>/<distro>/<release>.
/// `{{ key }}` in a value stands for another key's value. Of a component line `promote_from` names the labels, as in the
/// ini, and the key of each target's name has a list of jobs for each component. Blocks.
[[nodiscard]] boost::system::result<LoadedRelease, config::Problems> load_release(const std::filesystem::path& file);

}  // namespace outpost::promoter
