#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace outpost::hooks {

/// What `outpost plugin lint` wants to know of the last `outpost plugin run` of a plugin, kept for the user in
/// $XDG_STATE_HOME/outpost (~/.local/state/outpost), and not in the plugin, whose digest would change.

/// Keeps which of the plugin's globs nothing matched. What cannot be written is not worth a word.
void note_unmatched(const std::filesystem::path& plugin, const std::vector<std::string>& globs);

/// Those of the last run; none when there was none.
[[nodiscard]] std::vector<std::string> unmatched_in_last_run(const std::filesystem::path& plugin);

}  // namespace outpost::hooks
