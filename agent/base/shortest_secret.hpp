#pragma once

#include <cstddef>

namespace outpost {

/// Shorter secrets, and shorter forms of one, are not hidden: they would redact half of every log.
inline constexpr std::size_t shortest_secret = 4;

}  // namespace outpost
