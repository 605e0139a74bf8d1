#pragma once

namespace outpost::cli {

// The exit statuses of `outpost`, the same for every command (outpost(1)).
inline constexpr int exit_ok = 0;
inline constexpr int exit_negative = 1;       ///< The answer is no: a job that failed, a check that found something.
inline constexpr int exit_usage = 2;
inline constexpr int exit_no_daemon = 3;      ///< The daemon cannot be reached.
inline constexpr int exit_no_server = 4;      ///< The control server cannot be reached.
inline constexpr int exit_configuration = 5;
inline constexpr int exit_busy = 6;           ///< Somebody else is at it.

}  // namespace outpost::cli
