#pragma once

#include "agent/base/result.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::hooks {

enum class Language { shell, python, ansible };

/// "sh", "python", "ansible"
[[nodiscard]] std::optional<Language> parse_language(std::string_view name);

/// Makes a plugin that does something and passes: manifest, hooks, a job to try it with, README. Returns the files, below
/// `directory`. refused: there is something already, or the name is none.
[[nodiscard]] Result<std::vector<std::filesystem::path>> write_skeleton(const std::string& name, Language language, const std::filesystem::path& directory);

}  // namespace outpost::hooks
