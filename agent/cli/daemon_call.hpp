#pragma once

#include "agent/base/result.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <filesystem>
#include <string_view>

namespace outpost::cli {

/// Where the daemon listens, by its configuration, which may be wrong as long as a socket is there.
[[nodiscard]] Result<std::filesystem::path> socket_of(const DaemonOptions& options);

/// A list in an answer of the daemon; an empty one when it is not there, as in those of older daemons.
[[nodiscard]] const boost::json::array& array_at(const boost::json::object& answer, std::string_view key);

/// The id of the job that begins so, among the newest 1000; a whole id is taken as it is. refused: none, or several.
[[nodiscard]] Result<std::string> id_of(const std::filesystem::path& socket, const std::string& beginning);
/// The daemon's answer about one job, by its id or how it begins.
[[nodiscard]] Result<boost::json::value> ask_of_job(const std::filesystem::path& socket, const std::string& beginning);

/// Says what went wrong on standard error; the exit status for it.
int fail(const Error& error);
int fail(const Error& error, int status);

}  // namespace outpost::cli
