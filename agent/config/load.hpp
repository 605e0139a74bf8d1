#pragma once

#include "agent/config/option.hpp"
#include "agent/config/problem.hpp"
#include "agent/config/settings.hpp"

#include <boost/system/result.hpp>

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace outpost::config {

/// A file of a configuration as it was read.
struct FileText {
  std::string name;  ///< As Origin::file calls it.
  std::string text;
};
/// outpost.yml, then those that override it, in their order.
using Texts = std::vector<FileText>;

struct Loaded {
  Settings settings;
  Origins origins;
  std::string file;  ///< As Origin::file calls the first one: "outpost.yml".
  Texts texts;
};

using Environment = std::map<std::string, std::string>;

/// The variables of a process; pass `environ`.
[[nodiscard]] Environment environment_of(const char* const* variables);

/// Reads outpost.yml, then the `*.yml` of the directory conf.d beside it in the order of their names, then the
/// OUTPOST_CFG_* variables. A later one overrides: mappings merge by key, jobs by name, lists and scalars are replaced.
/// Returns all problems it can find, not only the first. Blocks; a file larger than 1 MiB is refused.
[[nodiscard]] boost::system::result<Loaded, Problems> load(const std::filesystem::path& file,
                                                           const Environment& environment,
                                                           std::span<const SourceType> source_types,
                                                           const ZoneLookup& zones = zone_by_name);

/// The same from what was read before; relative paths count from `directory`.
[[nodiscard]] boost::system::result<Loaded, Problems> load_texts(Texts texts, const std::filesystem::path& directory,
                                                                 const Environment& environment,
                                                                 std::span<const SourceType> source_types,
                                                                 const ZoneLookup& zones = zone_by_name);

/// Where a daemon with this configuration has its things, as far as that can be told of one that is wrong.
struct Places {
  std::filesystem::path state_directory, runtime_directory;
};
[[nodiscard]] Places places_of(const std::filesystem::path& file, const Environment& environment);

}  // namespace outpost::config
