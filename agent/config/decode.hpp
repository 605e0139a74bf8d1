#pragma once

#include "agent/config/fields.hpp"
#include "agent/config/option.hpp"
#include "agent/config/settings.hpp"

#include <span>
#include <vector>

namespace outpost::config {

/// The tree of outpost.yml as settings. What does not fit is noted in `reading` and left at its default.
/// `known` collects every key that could have been there.
[[nodiscard]] Settings decode(Reading& reading, const Node& root, std::span<const SourceType> source_types,
                              std::vector<KnownKey>& known);

}  // namespace outpost::config
