#include "plugins/junit/text_writer.hpp"

#include <unistd.h>

#include <cerrno>

namespace outpost::junit {

void TextWriter::flush() {
  std::string_view rest = text_;
  while (!rest.empty() && failure_ == 0) {
    const ssize_t put = ::write(file_, rest.data(), rest.size());
    if (put >= 0) rest.remove_prefix(static_cast<std::size_t>(put));
    else if (errno != EINTR) failure_ = errno;
  }
  text_.clear();
}

Result<void> TextWriter::finish(const std::string& name) {
  flush();
  if (failure_ != 0) return errno_error("cannot write", name, failure_);
  return {};
}

}  // namespace outpost::junit
