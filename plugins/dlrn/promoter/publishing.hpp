#pragma once

#include "plugins/dlrn/promoter/image_server.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace outpost::promoter {

/// A file that goes to a server, and the label that then leads to it.
struct Published {
  std::string name;            ///< Of the file there.
  std::filesystem::path file;  ///< Its content.
  std::string label;
};

/// Puts the file there, whole and compared, then leads the label to it and `previous-<label>` to what that named
/// before; what fails in between is put back, but for the file. To do it twice is the same as once. Returns what was
/// done, or with `dry_run` would be, in lines for a person; none: all is so already. refused: another file of that name
/// is there.
boost::asio::awaitable<Result<std::vector<std::string>>> publish(ImageServer& server, Published what, bool dry_run);

}  // namespace outpost::promoter
