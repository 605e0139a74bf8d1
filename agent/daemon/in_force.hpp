#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "agent/config/load.hpp"
#include "agent/config/settings.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace outpost::daemon {

/// The configuration to run with.
struct InForce {
  std::filesystem::path file;  ///< outpost.yml, to be read again on request.
  config::Settings settings;
  config::Texts texts;  ///< What they were read from.
  Timestamp since{};
  std::string problem;  ///< Why the files as they are now could not be taken; these are the last good ones then.
};

/// The configuration, or the last good one when its files are wrong and there is one. An error says what is wrong.
/// Blocks.
[[nodiscard]] Result<InForce> configuration_of(const std::filesystem::path& file);

/// The last good one of the same state directory, as far as it can still be read. Blocks.
[[nodiscard]] std::optional<InForce> last_good_of(const std::filesystem::path& file,
                                                  const std::filesystem::path& state_directory);

/// Whether an agent has worked with this state directory before.
[[nodiscard]] bool has_journal(const std::filesystem::path& state_directory);

}  // namespace outpost::daemon
