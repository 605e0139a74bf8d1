#pragma once

#include "agent/base/result.hpp"
#include "agent/base/descriptor.hpp"

#include <filesystem>
#include <string_view>

namespace outpost::files {

/// The part of inside() that needs no disk, without the rule about backslashes, which are ordinary in names of systemd
/// units: for names in archives.
[[nodiscard]] Result<void> check_name(std::string_view name);

/// root/relative, if that names something below `root` whatever the tree holds: for names that come from a server.
/// Refused: empty and absolute names, the components "", "." and "..", NUL and other control bytes, backslashes,
/// components above 255 bytes, more than 64 of them, paths that the system cannot open, and a path with a symbolic link
/// in it (its last component included). Components that do not exist yet are fine.
/// The answer holds as long as nobody else changes the tree. `root` itself must exist and may be a link.
[[nodiscard]] Result<std::filesystem::path> inside(const std::filesystem::path& root, std::string_view relative);

/// Opens the regular file at root/relative for reading, under the rules of check_name() and without following any
/// link below `root`. Does not wait for fifos and devices: refused, like everything else that is no regular file.
[[nodiscard]] Result<Descriptor> open_inside(const std::filesystem::path& root, std::string_view relative);

/// inside(), and makes the directories above the name that are missing (0750).
[[nodiscard]] Result<std::filesystem::path> prepare_inside(const std::filesystem::path& root,
                                                           std::string_view relative);

/// Whether a symbolic link at `link` (relative, as for inside()) may hold `destination`: it must be relative, with ".."
/// at its beginning only and not more of them than `link` is deep. Then no chain of such links leaves the tree, in
/// whatever order they are made.
[[nodiscard]] Result<void> check_link(std::string_view link, std::string_view destination);

/// Makes the symbolic link root/link -> destination if check_link() allows it. A link that is there already is
/// replaced; anything else there is refused.
[[nodiscard]] Result<void> make_symlink_inside(const std::filesystem::path& root, std::string_view link,
                                               std::string_view destination);

}  // namespace outpost::files
