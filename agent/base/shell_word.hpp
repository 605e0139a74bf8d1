#pragma once

#include <string>

namespace outpost {

/// As one word of a command line for a shell: in quotes unless it needs none.
[[nodiscard]] std::string shell_word(const std::string& text);

}  // namespace outpost
