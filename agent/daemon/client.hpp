#pragma once

#include "agent/base/result.hpp"
#include "agent/config/option.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace outpost::daemon {

/// The types of sources that this build knows. A plain function: nothing registers itself.
[[nodiscard]] std::vector<config::SourceType> source_types();

/// Asks the daemon's local API and waits for the answer: GET `path` on its socket. Errors as ApiClient's.
[[nodiscard]] Result<boost::json::value> ask_daemon(const std::filesystem::path& socket, const std::string& path);

/// The same with POST.
[[nodiscard]] Result<boost::json::value> tell_daemon(const std::filesystem::path& socket, const std::string& path, boost::json::object body);

}  // namespace outpost::daemon
