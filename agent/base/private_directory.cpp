#include "agent/base/private_directory.hpp"

#include "agent/base/descriptor.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

namespace outpost {

namespace fs = std::filesystem;

Result<PrivateDirectory> PrivateDirectory::make(const fs::path& parent, std::string_view name) {
  std::string pattern = (parent / name).string() + "-XXXXXX";
  if (!::mkdtemp(pattern.data())) return errno_error("cannot create", pattern, errno);
  return PrivateDirectory{pattern};
}

Result<PrivateDirectory> PrivateDirectory::make(std::string_view name) {
  const char* given = std::getenv("TMPDIR");
  return make(fs::path{given && *given ? given : "/tmp"}, name);
}

PrivateDirectory::~PrivateDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<fs::path> PrivateDirectory::write(std::string_view name, std::string_view content) const {
  const fs::path file = path_ / name;
  const Descriptor opened{::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  while (opened.is_open() && !content.empty()) {
    const auto written = ::write(opened.get(), content.data(), content.size());
    if (written <= 0) return errno_error("cannot write", file.native(), errno);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (!opened.is_open()) return errno_error("cannot create", file.native(), errno);
  return file;
}

}  // namespace outpost
