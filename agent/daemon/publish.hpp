#pragma once

#include "agent/base/result.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace outpost::daemon {

struct PublishOptions {
  std::string to;  ///< "uploader@images.example.org:/var/www/html/composes", or a directory of this machine.
  int port = 22;
  std::filesystem::path key, known_hosts;  ///< Empty: what ssh has.
  std::filesystem::path file;              ///< What goes there...
  std::optional<std::string> content;      ///< ...or a text that does.
  std::string name;                        ///< Empty: that of the file, or the text itself.
  std::string label;
  bool dry_run = false;
};

struct PublishAnswer {
  std::string name, server;
  std::vector<std::string> lines;  ///< What was done, or would be.
};

/// Puts one file on a server and leads a label there: the composition root of `outpost publish`. Blocks. malformed: the
/// options make no sense together, or something in them is no name.
[[nodiscard]] Result<PublishAnswer> publish(const PublishOptions& options);

}  // namespace outpost::daemon
