#pragma once

namespace outpost::cli {

/// Whether what is written there may have colours: it is a terminal, and NO_COLOR is not set (no-color.org).
[[nodiscard]] bool may_colour(int descriptor);

}  // namespace outpost::cli
