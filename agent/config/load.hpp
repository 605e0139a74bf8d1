#pragma once

#include "agent/config/option.hpp"
#include "agent/config/problem.hpp"
#include "agent/config/settings.hpp"

#include <boost/system/result.hpp>

#include <filesystem>
#include <map>
#include <span>
#include <string>

namespace outpost::config {

struct Loaded {
  Settings settings;
  Origins origins;
  std::string file;  ///< As Origin::file calls the first one: "outpost.yml".
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

}  // namespace outpost::config
