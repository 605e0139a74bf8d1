#pragma once

#include "agent/base/clock.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace outpost {

/// A new UUIDv7 (RFC 9562): its order as text is the order of creation within one process.
[[nodiscard]] std::string new_id(Timestamp now);

/// When an id of new_id() was made, to the millisecond; nothing for any other text.
[[nodiscard]] std::optional<Timestamp> time_of_id(std::string_view text);

/// Whether `text` is a UUID of any version in its 36-character form.
[[nodiscard]] bool is_uuid(std::string_view text);

}  // namespace outpost
