#pragma once

#include "agent/base/result.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"

#include <filesystem>

namespace outpost::cli {

/// Where the daemon listens, by its configuration, which may be wrong as long as a socket is there.
[[nodiscard]] Result<std::filesystem::path> socket_of(const DaemonOptions& options);

/// Says what went wrong on standard error; the exit status for it.
int fail(const Error& error);
int fail(const Error& error, int status);

}  // namespace outpost::cli
