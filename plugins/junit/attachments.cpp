#include "plugins/junit/attachments.hpp"

#include "agent/base/text.hpp"
#include "agent/files/safe_path.hpp"

#include <array>
#include <optional>
#include <utility>

namespace outpost::junit {
namespace {

namespace fs = std::filesystem;

/// A directory of the job that tests may name files in.
struct Place {
  fs::path root;
  std::string prefix;  ///< Of the artifact's name.
  bool collected = false;
};

std::array<Place, 6> places(const pipeline::JobDirectory& directory, const std::string& step_id) {
  return {Place{directory.workspace(), "", false},
          {directory.shared(), "shared/", false},
          {directory.root / "state", "state/", false},
          {directory.temporary(step_id), "tmp/", false},
          {directory.results(step_id), "", true},
          {directory.artifacts(step_id), "", true}};
}

/// `path` from `root` on; "" when it is not below it.
std::string below(const fs::path& root, const fs::path& path) {
  const fs::path relative = path.lexically_relative(root);
  if (relative.empty() || relative == "." || *relative.begin() == "..") return {};
  return relative.generic_string();
}

Result<Attachment> open(const Place& place, const std::string& relative) {
  auto file = files::open_inside(place.root, relative);
  if (!file) return file.error();
  return Attachment{place.collected, std::move(*file), "attachments/" + place.prefix + relative};
}

}  // namespace

Result<Attachment> find_attachment(const pipeline::JobDirectory& directory, const std::string& step_id,
                                   const fs::path& junit, const std::string& named) {
  const auto all = places(directory, step_id);
  const fs::path path{named};
  const Error outside{Fault::refused, "not in a directory of the job"};
  std::optional<Error> missing;
  // A file that was copied from the workspace counts from where it was.
  const fs::path workspace = directory.workspace();
  for (const fs::path& from : {directory.results(step_id) / junit.parent_path(), workspace / junit.parent_path(), workspace}) {
    const fs::path whole = (path.is_absolute() ? path : from / path).lexically_normal();
    for (const Place& place : all) {
      const std::string relative = below(place.root, whole);
      if (relative.empty()) continue;
      auto found = open(place, relative);
      if (found) return found;
      missing = found.error();
    }
  }
  return missing ? Error{Fault::unavailable, missing->message} : outside;
}

}  // namespace outpost::junit
