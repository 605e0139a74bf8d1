#pragma once

#include "agent/job/story.hpp"
#include "agent/journal/deliveries.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace outpost::dci {

/// Kinds of items, and what their bodies hold besides `job`, the job's id at the server.
namespace kind {
inline constexpr std::string_view state = "state";  ///< {status, comment}
inline constexpr std::string_view log =
    "log";  ///< {log, offset}: a piece; its state's id comes from the item it needs.
inline constexpr std::string_view task = "task";  ///< {name, mime, alike: so many like it came before}; state as log
inline constexpr std::string_view result = "result";      ///< {name, mime}
inline constexpr std::string_view artifact = "artifact";  ///< {name, mime}
inline constexpr std::string_view note = "note";          ///< {name, content}: a small text of our own.
inline constexpr std::string_view value = "kv";           ///< {key, value}
inline constexpr std::string_view tag = "tag";            ///< {tag}
}  // namespace kind

/// What an event means at the control server: README.md, "What is reported". Pure: the same event and story give the
/// same items. Nothing for jobs that `source` did not claim.
[[nodiscard]] std::vector<journal::Item> expand(const job::Event& event, const job::Story& before,
                                                const std::string& source);

}  // namespace outpost::dci
