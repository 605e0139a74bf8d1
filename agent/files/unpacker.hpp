#pragma once

#include "agent/base/result.hpp"
#include "agent/base/workers.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace outpost::files {

struct UnpackLimits {
  std::uint64_t bytes = std::uint64_t{200} << 30;  ///< Of all files together, holes included.
  std::uint64_t entries = 1'000'000;
  std::uint64_t ratio = 200;  ///< Unpacked bytes for each byte of the archive, looked at above `ratio_from` bytes.
  std::uint64_t ratio_from = 64 << 20;
  unsigned depth = 64;  ///< Components of a path.
};

struct Unpacked {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
};

/// Unpacks tar archives, plain or compressed with gzip, xz or zstd, each in a process of its own: what archives of
/// strangers do to a decompressor does not reach this program, and its libraries are no part of it. That process,
/// outpost-unpack, has no network and writes nowhere but beside the target; it ends when this program does.
class Unpacker {
 public:
  /// `program`: the path of outpost-unpack. The workers outlive it; one waits for each archive.
  Unpacker(std::filesystem::path program, Workers& workers) : program_{std::move(program)}, workers_{&workers} {}

  /// What archive/unpack.hpp promises. Cancelling the caller stops it, and waits until the partial output is gone.
  /// Besides: unavailable when the process cannot be started or was killed.
  boost::asio::awaitable<Result<Unpacked>> unpack(std::filesystem::path archive, std::filesystem::path target,
                                                  UnpackLimits limits = {}) const;

 private:
  std::filesystem::path program_;
  Workers* workers_;
};

/// outpost-unpack; unavailable when it is not installed.
[[nodiscard]] Result<std::filesystem::path> find_unpacker();

/// How outpost-unpack tells its outcome, on its standard input, which is a socket: one JSON object.
[[nodiscard]] std::string unpack_answer(const Result<Unpacked>& outcome);
/// Nothing when it is no such answer.
[[nodiscard]] std::optional<Result<Unpacked>> parse_unpack_answer(std::string_view text);

}  // namespace outpost::files
