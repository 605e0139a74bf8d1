#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace outpost::hooks {

/// The key of the manifest that other programs call `word`: "retries" for "attempts" in "hooks.test". `place` is the
/// mapping it stands in, "" for the top. Empty: none that we know of.
[[nodiscard]] std::string meant_key(std::string_view place, std::string_view word);

/// " (did you mean "release"?)" for a word that is none of `stages` but means one of them, or is near to one; empty
/// otherwise. `extension`: of both, ".yml".
[[nodiscard]] std::string stage_advice(std::string_view word, const std::vector<std::string>& stages, const std::string& extension = {});

}  // namespace outpost::hooks
