#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "agent/config/load.hpp"

#include <filesystem>
#include <optional>

namespace outpost::daemon {

/// The configuration that the daemon last started with or reloaded: its files, word for word. A start with a wrong one
/// can then still finish what runs.
struct LastGood {
  Timestamp since{};
  config::Texts texts;
};

/// Keeps it in <state directory>/last-good.json, mode 0600: proxies in it may hold passwords. `file` is outpost.yml.
/// Blocks.
Result<void> keep_last_good(const std::filesystem::path& state_directory, const std::filesystem::path& file, const LastGood& good);

/// What was kept there of this outpost.yml; nothing when there is none. Blocks.
Result<std::optional<LastGood>> read_last_good(const std::filesystem::path& state_directory, const std::filesystem::path& file);

}  // namespace outpost::daemon
