#pragma once

#include <chrono>
#include <cstdint>

namespace outpost::dci {

/// How much longer the answer to an upload of so many bytes may take: the server reads, stores and parses a file before
/// it answers, one request after the other.
[[nodiscard]] std::chrono::milliseconds patience_for(std::uint64_t size);

}  // namespace outpost::dci
