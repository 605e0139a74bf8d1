#pragma once

#include "agent/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outpost::dci {

struct ListedFile {
  std::string path;    ///< Relative to the component's directory, with '/'.
  std::string source;  ///< Below /api/v1/components/<id>/files/, decoded.
  std::string sha256;  ///< Lower case; empty: unknown.
  std::optional<std::uint64_t> size;
};

struct ListedLink {
  std::string path, destination;
};

/// What dci_files_list.json says (protocol §7).
struct FileList {
  std::vector<std::string> directories;
  std::vector<ListedFile> files;
  std::vector<ListedLink> links;

  [[nodiscard]] std::uint64_t bytes() const;
};

/// malformed for what is no such list, has wrong types, or names one path twice with different contents. Whether the
/// paths stay inside a directory is for whoever writes there.
[[nodiscard]] Result<FileList> parse_file_list(std::string_view text);

/// Whether a file is an archive to be unpacked, by its name: .tar, .tar.gz, .tgz, .tar.xz, .tar.zst.
[[nodiscard]] bool is_archive(std::string_view path);

/// Where each archive of a component goes, relative to its directory: "unpacked" beside the archive, or
/// "unpacked/<name without its endings>" where one directory holds several.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> unpack_targets(const std::vector<ListedFile>& files);

}  // namespace outpost::dci
