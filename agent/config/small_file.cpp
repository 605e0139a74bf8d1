#include "agent/config/small_file.hpp"

#include "agent/base/shell_word.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace outpost::config {
namespace {

struct Descriptor {
  int number = -1;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

}  // namespace

Result<std::string> read_small_file(const std::filesystem::path& path, std::size_t limit, Privacy privacy) {
  const std::string name = printable(path.native(), 1024);
  // O_NONBLOCK: opening a FIFO that nobody writes to would block.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  struct stat status{};
  if (file.number < 0 || ::fstat(file.number, &status) != 0) return errno_error("cannot open", name, errno);
  if (!S_ISREG(status.st_mode)) return Error{Fault::unavailable, name + " is not a regular file"};
  if (privacy == Privacy::secret && (status.st_mode & (S_IROTH | S_IWOTH)) != 0)
    return Error{Fault::refused, name + " holds a secret, but every user of this machine can " +
                                     ((status.st_mode & S_IROTH) != 0 ? "read" : "change") +
                                     " it; run: chmod o= " + shell_word(name)};
  std::string content;
  // The size is only a hint: a file may grow meanwhile, and those of /proc say 0.
  std::string piece(64 * 1024, '\0');
  for (;;) {
    const ssize_t got = ::read(file.number, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read", name, errno);
    if (got == 0) return content;
    content.append(piece, 0, static_cast<std::size_t>(got));
    if (content.size() > limit) return Error{Fault::malformed, name + " is larger than " + format_size(limit)};
  }
}

}  // namespace outpost::config
