#pragma once

#include "agent/base/result.hpp"
#include "agent/files/unpacker.hpp"

#include <filesystem>
#include <stop_token>

namespace outpost::files {

/// Unpacks a tar archive, plain or compressed with gzip, xz or zstd (told by its content, not by its name), into
/// `target`, which must not exist. The directory appears complete and synced, or not at all: until then it is
/// `<target>.unpacking`, which is removed on any failure, as is one left by a crash.
///
/// Written are files, directories, and hard and symbolic links that stay in the tree. Owners, ACLs and extended
/// attributes are not restored; set-id and sticky bits are dropped, and nobody but the owner may write.
/// Everything else ends it with an error that names the archive, the entry and what to do: refused for absolute names,
/// "..", links out of the tree, names through a link, devices, fifos, and the limits; malformed for what is no archive,
/// a damaged or a truncated one (the end is read and its checksum compared); retry_later for a full disk; cancelled
/// when `stop` asks for it, which is looked at between blocks.
///
/// Blocks. Only outpost-unpack calls it; others have Unpacker.
[[nodiscard]] Result<Unpacked> unpack(const std::filesystem::path& archive, const std::filesystem::path& target,
                                      const UnpackLimits& limits = {}, std::stop_token stop = {});

}  // namespace outpost::files
