#pragma once

#include "plugins/hooks/plugin.hpp"

#include <string>

namespace outpost::hooks {

/// Why hooks that somebody has written would not run, as errors: there is none at all (PL019), the file is called nearly
/// as a stage (PL019), there are two for one place (PL002), or it could not be started (as start_mistakes() says). Other
/// files of `hooks/` whose name is no stage are warnings (PL019). `shown` is put in front of the plugin's files in
/// messages: "" for the current directory, else with a slash at its end. Blocks.
[[nodiscard]] Diagnoses hook_mistakes(const Plugin& plugin, const std::string& shown);

/// The part of it about files of `hooks/` whose name is no stage, and directories that are called as a stage without hooks.
[[nodiscard]] Diagnoses files_that_never_run(const Plugin& plugin, const std::string& shown);

}  // namespace outpost::hooks
