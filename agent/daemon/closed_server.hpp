#pragma once

#include "agent/base/result.hpp"
#include "agent/config/settings.hpp"
#include "agent/daemon/server_access.hpp"
#include "agent/pipeline/reporter.hpp"
#include "agent/pipeline/source.hpp"

#include <memory>
#include <optional>
#include <string>

// A control server that cannot be asked, because its credentials or certificates cannot be read. What was begun for it
// goes on all the same: its jobs are known, and what is to be told of them waits.
namespace outpost::daemon {

/// Stands for the access that could not be made. Nothing is ever sent with it, and nothing can be sealed.
[[nodiscard]] Result<ServerAccess> closed_access(const config::Source& source);

/// Knows what `original` does without its server. Everything else is an error of credentials that says `why`.
[[nodiscard]] std::unique_ptr<pipeline::Source> closed_source(std::unique_ptr<pipeline::Source> original, Error why);
/// What closed_source() was told; nothing for any other source.
[[nodiscard]] std::optional<std::string> why_closed(const pipeline::Source& source);
[[nodiscard]] std::unique_ptr<pipeline::Reporter> closed_reporter(std::unique_ptr<pipeline::Reporter> original,
                                                                  Error why);

}  // namespace outpost::daemon
