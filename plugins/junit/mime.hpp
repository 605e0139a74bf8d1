#pragma once

#include <string>
#include <string_view>

namespace outpost::junit {

/// The type of an artifact by its file name, as the tools of the DCI world set it (DCI protocol §6): text for what
/// people read in the server's pages, application/x-gzip, application/dci-analytics+json for dci-extra*.json, ...;
/// application/octet-stream for the rest.
[[nodiscard]] std::string mime_of(std::string_view path);

}  // namespace outpost::junit
