#pragma once

#include "agent/base/descriptor.hpp"
#include "agent/base/result.hpp"
#include "agent/pipeline/job_directory.hpp"

#include <filesystem>
#include <string>

namespace outpost::junit {

/// A file that a test names in its output.
struct Attachment {
  bool collected = false;  ///< It lies where everything is collected anyway.
  Descriptor file;         ///< Otherwise it, open.
  std::string name;        ///< And what it is called as an artifact: "attachments/<path in the workspace>".
};

/// Finds a file that the JUnit file `results`/`junit` names. A relative path counts from the directory of the JUnit file,
/// or from the workspace. Only regular files in the workspace, shared, state and temporary directories are found, and in
/// those of results and artifacts; no link leads out of them.
///
/// Errors: refused, when it is elsewhere; unavailable, when it is not there or cannot be opened.
[[nodiscard]] Result<Attachment> find_attachment(const pipeline::JobDirectory& directory, const std::string& step_id,
                                                 const std::filesystem::path& junit, const std::string& named);

}  // namespace outpost::junit
