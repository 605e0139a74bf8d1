#pragma once

#include "agent/config/fields.hpp"
#include "agent/config/load.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace outpost::config {

/// The files of a configuration, laid over each other.
struct Layers {
  Node tree;
  std::vector<std::string> files;  ///< As Origin::file calls them, in the order of reading.
  bool complete = true;            ///< Every file could be read to its end.
};

struct ReadTexts {
  Texts texts;
  bool complete = true;  ///< Every file could be read.
};
/// Reads outpost.yml and conf.d/*.yml beside it. A file that cannot be read is a problem, and empty.
[[nodiscard]] ReadTexts read_texts(const std::filesystem::path& file, Problems& problems);

[[nodiscard]] Layers lay_texts(const Texts& texts, Problems& problems);

/// Lays `over` over `base`: mappings merge by key, items of the list `jobs` by their name, all else is replaced.
void lay_over(Node& base, Node over);

/// Puts the OUTPOST_CFG_* variables into the tree; a name that fits no key, or several, is a problem.
void apply_environment(Node& tree, const Environment& environment, const std::vector<KnownKey>& known,
                       Problems& problems);

}  // namespace outpost::config
