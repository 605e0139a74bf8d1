#pragma once

#include "plugins/hooks/plugin.hpp"

#include <boost/json/array.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace outpost::hooks {

/// Everything that can be said of a plugin without running it: its manifest, its hooks as files and as scripts, what it
/// requires of this machine. Errors are what would keep a hook from running, warnings what is likely a mistake.
/// `shown` is put in front of the plugin's files in messages: "" for the current directory, else with a slash at its end.
/// `unmatched`: globs that nothing matched in the last run. Blocks; runs shellcheck when it is installed.
[[nodiscard]] Diagnoses lint(const Plugin& plugin, const std::string& shown, const std::vector<std::string>& unmatched = {});

/// What shellcheck says of scripts (PL013), which are called `shown` + their path below `folder`. Nothing when it is not
/// installed; a warning when it did not end within `limit`.
[[nodiscard]] Diagnoses shellcheck(const std::filesystem::path& folder, const std::vector<std::string>& scripts, const std::string& shown,
                                   std::chrono::milliseconds limit = std::chrono::seconds{20});

enum class LintFormat { human, json, sarif };

/// What programs are told of them: {code, severity, file, line, column, message, fix} each.
[[nodiscard]] boost::json::array to_json(const Diagnoses& diagnoses);

/// The report of `outpost plugin lint`: one line for each, an array of JSON objects, or SARIF 2.1.0.
[[nodiscard]] std::string lint_report(const Diagnoses& diagnoses, LintFormat format);

}  // namespace outpost::hooks
