#pragma once

#include "agent/config/load.hpp"

#include <string>
#include <vector>

namespace outpost::config {

/// A key of the configuration, what it is, and who says so.
struct EffectiveKey {
  std::string path;    ///< "jobs.nightly.timeout"
  std::string value;   ///< For people: as it was written, or the default; empty: nothing is set.
  std::string origin;  ///< "outpost.yml:12:5", "OUTPOST_CFG_SLOTS"; empty: it is the default.
  bool hidden = false;  ///< It is set, and may hold a password, so `value` is empty.
};

/// Every key that somebody has set or that has a default, of a configuration that could be loaded, in the order of the
/// tables of outpost.yml(5). Of secrets it says where they are, never what they are; plugins' configuration is left out,
/// because only they know what of it is secret.
[[nodiscard]] std::vector<EffectiveKey> effective(const Texts& texts, const std::filesystem::path& directory,
                                                  const Environment& environment, std::span<const SourceType> source_types);

}  // namespace outpost::config
