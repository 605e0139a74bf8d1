#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace outpost::job {

/// Whether every hook has an environment variable of this name from the agent, so that neither a manifest nor a hook can
/// give it another value (hooks/README.md, Environment).
[[nodiscard]] inline bool is_own_variable(std::string_view name) {
  constexpr std::array<std::string_view, 9> own{"CI", "HOME", "LANG", "NO_COLOR", "PATH", "SHELL", "TMPDIR", "TRACEPARENT", "TZ"};
  return name.starts_with("OUTPOST") || std::find(own.begin(), own.end(), name) != own.end();
}

}  // namespace outpost::job
