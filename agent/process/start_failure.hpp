#pragma once

#include "agent/base/result.hpp"

#include <filesystem>

namespace outpost::process {

/// Why execve(2) of `program` failed with `code`, in words that say what to repair: "No such file or directory" may
/// mean the script, its interpreter, or a carriage return at the end of its first line.
[[nodiscard]] Error explain_start_failure(const std::filesystem::path& program, int code);

/// Whether the file's first line is "#!..." and ends with CRLF. Such a script fails whatever its interpreter is, but
/// sometimes only after it has been started (`#!/usr/bin/env bash\r`) and with a message that nobody understands.
[[nodiscard]] bool has_crlf_shebang(const std::filesystem::path& program);

/// The error for such a script.
[[nodiscard]] Error crlf_error(const std::filesystem::path& program);

}  // namespace outpost::process
