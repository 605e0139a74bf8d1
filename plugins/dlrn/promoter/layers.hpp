#pragma once

#include "agent/config/yaml_tree.hpp"

#include <filesystem>
#include <vector>

namespace outpost::promoter {

/// A release's YAML over the defaults of its environment and of all, `{{ key }}` filled in. The whole value of a key
/// comes from one file. null when it could not be read. Blocks.
[[nodiscard]] config::Node read_layers(const std::filesystem::path& file, config::Problems& problems);

/// The old ini in the form of the YAML: [main] at the top, the other sections as `promotions`.
[[nodiscard]] config::Node read_old_form(const std::filesystem::path& file, config::Problems& problems,
                                         std::vector<std::string>& warnings);

/// Fills in `{{ key }}` in every value of `root` from its own keys.
void fill_in_templates(config::Node& root, config::Problems& problems);

}  // namespace outpost::promoter
