#include "agent/daemon/spool_file.hpp"

#include "agent/files/durable_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace outpost::daemon {

namespace fs = std::filesystem;

Result<SpoolFile> SpoolFile::create(const fs::path& target, bool force) {
  if (target == "-") return SpoolFile{target, {}, Descriptor{::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)}};
  std::error_code ignored;
  const auto there = fs::symlink_status(target, ignored).type();
  if (there == fs::file_type::regular && !force)
    return Error{Fault::refused, target.string() + " exists; --force replaces it"};
  if (there != fs::file_type::regular && there != fs::file_type::not_found)
    return Error{Fault::refused, target.string() + " exists and is not a regular file"};
  fs::path draft = target;
  draft += ".partial";
  ::unlink(draft.c_str());  // Of an export that was killed.
  Descriptor file{::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!file.is_open()) return errno_error("cannot create", draft.native(), errno);
  return SpoolFile{target, std::move(draft), std::move(file)};
}

SpoolFile::~SpoolFile() {
  if (file_.is_open() && !draft_.empty()) ::unlink(draft_.c_str());
}

Result<void> SpoolFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno_error("cannot write", target_.native(), errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    size_ += static_cast<std::uint64_t>(written);
  }
  return {};
}

Result<void> SpoolFile::commit() {
  if (!draft_.empty()) {
    if (::fsync(file_.get()) != 0) return errno_error("cannot sync", draft_.native(), errno);
    if (auto named = files::rename_durably(draft_, target_); !named) return named;
  }
  file_.close();
  return {};
}

}  // namespace outpost::daemon
