#pragma once

#include "agent/config/fields.hpp"
#include "agent/config/option.hpp"
#include "agent/config/settings.hpp"

#include <span>

namespace outpost::config {

/// One item of `jobs`; sources and resources of `settings` are complete already. `plugin_config` is that of the file, or
/// nullptr.
[[nodiscard]] Job decode_job(Reading& reading, Fields& fields, const Settings& settings,
                             std::span<const SourceType> source_types, const Node* plugin_config);

}  // namespace outpost::config
