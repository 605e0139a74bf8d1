#include "agent/log/raw_stream.hpp"

#include <poll.h>

#include <algorithm>

namespace outpost::log {

bool RawStream::ensure_open() {
  if (!file_.is_open()) file_ = File::open(place_.segment(begin_), O_RDWR | O_CREAT | O_EXCL, 0600);
  return file_.is_open();
}

RawStream::Grown RawStream::take(int pipe, std::size_t limit) {
  if (!file_.is_open()) {  // Is there anything to make a file for?
    pollfd state{pipe, POLLIN, 0};
    if (::poll(&state, 1, 0) == 0) return {0, EAGAIN};
    if ((state.revents & (POLLIN | POLLHUP)) == POLLHUP) return {};
  }
  if (!ensure_open()) return {0, errno};
  const auto room = static_cast<std::size_t>(std::max(segment_size_, length_ + 1) - length_);
  for (;;) {
    off64_t offset = static_cast<off64_t>(length_);  // splice() into a file that is opened for appending fails.
    const auto size =
        ::splice(pipe, nullptr, file_.descriptor(), &offset, std::min(limit, room), SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return {0, errno};
    length_ += static_cast<std::uint64_t>(size);
    return {static_cast<std::size_t>(size), 0};
  }
}

RawStream::Grown RawStream::append(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (!ensure_open()) return {0, errno};
  const auto done = file_.write(length_, bytes);
  const int code = done < bytes.size() ? errno : 0;
  length_ += done;
  return {done, code};
}

bool RawStream::take_back(std::uint64_t size) {
  if (size == this->size()) return true;
  if (!file_.truncate(size - begin_)) return false;
  length_ = size - begin_;
  return true;
}

std::size_t RawStream::read(std::uint64_t offset, std::span<char> into) const {
  return file_.read(offset - begin_, into);
}

void RawStream::close() {
  file_.close();
  begin_ += std::exchange(length_, 0);
}

void RawStream::go_on_from(std::uint64_t size) {
  begin_ = size;
  // Made for bytes that were not taken any more.
  const auto path = place_.segment(begin_);
  if (const auto file = File::open(path, O_RDONLY); file.is_open() && file.size() == 0) ::unlink(path.c_str());
}

}  // namespace outpost::log
