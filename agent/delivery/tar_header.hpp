#pragma once

#include "agent/base/clock.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The little of tar (POSIX.1-2017, pax) that a spool archive needs: regular files with short names, one after the
/// other. Not libarchive, because the daemon writes them, and that library and those it loads are as large in memory as
/// a tenth of it; and because what it reads besides, nobody may send us.
namespace outpost::delivery::tar {

inline constexpr std::size_t block = 512;
using Block = std::array<char, block>;

/// What stands in front of a member with that many bytes: one block, or three when the size needs a pax record.
/// `name` has at most 100 bytes.
[[nodiscard]] std::string header(std::string_view name, std::uint64_t size, Timestamp modified);

/// Zeros that a member of this size is followed by.
[[nodiscard]] constexpr std::uint64_t padding(std::uint64_t size) { return (block - size % block) % block; }

/// After the last member.
[[nodiscard]] inline std::string end() { return std::string(2 * block, '\0'); }

struct Member {
  enum class Kind { file, pax, end, other } kind = Kind::other;
  std::string name;
  std::uint64_t size = 0;  ///< Of what follows the block.
};

/// Nothing when the block is no header: its sum is wrong, or its size cannot be read.
[[nodiscard]] std::optional<Member> parse(const Block& bytes);

/// The size that the content of a pax header gives the member after it; nothing when it gives none, or is damaged.
[[nodiscard]] std::optional<std::uint64_t> pax_size(std::string_view content);

}  // namespace outpost::delivery::tar
