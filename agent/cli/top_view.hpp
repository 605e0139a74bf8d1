#pragma once

#include "agent/cli/screen.hpp"
#include "agent/cli/top_facts.hpp"

#include <vector>

namespace outpost::cli {

/// The screen of `outpost top`: exactly as many rows as there is room for, the log in what is left. Of several running
/// jobs one is shown with its stages, the others by a line each.
[[nodiscard]] std::vector<Row> top_view(const TopFacts& facts, Screen::Size size, bool unicode);

/// Rows of the log at most, on a screen of this size.
[[nodiscard]] std::size_t most_log_lines(Screen::Size size);

}  // namespace outpost::cli
