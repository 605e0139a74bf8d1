// outpost-unpack: unpacks one archive for the agent, which is at the other end of the socket that is descriptor 0. When
// that end is closed, it stops and removes what it has written; so it does when the agent dies.

#include "agent/files/archive/sandbox.hpp"
#include "agent/files/archive/unpack.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string_view>
#include <thread>

namespace {

using namespace outpost::files;

constexpr int usage = 64, to_agent = STDIN_FILENO;

template <class Number>
bool read(std::string_view text, Number& number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size();
}

/// Returns when the agent closes its end, or when we do.
void await_end() {
  char byte = 0;
  while (::recv(to_agent, &byte, 1, 0) < 0 && errno == EINTR) {
  }
}

void send(std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(to_agent, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return;  // Nobody listens any more.
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

int main(int count, char** words) {
  constexpr int expected = 8;
  UnpackLimits limits;
  const bool understood = count == expected && read(words[3], limits.bytes) && read(words[4], limits.entries) &&
                          read(words[5], limits.ratio) && read(words[6], limits.ratio_from) &&
                          read(words[7], limits.depth);
  if (!understood) {
    constexpr std::string_view text = "outpost-unpack is started by outpostd; it is of no use by itself\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    return usage;
  }
  ::syscall(SYS_close_range, 3U, ~0U, 0U);  // Nothing that the agent has open concerns us.
  const auto archive = std::filesystem::absolute(words[1]);
  const auto target = std::filesystem::absolute(words[2]).lexically_normal();
  enter_sandbox(archive, target);

  std::stop_source stop;
  std::thread agent{[&stop] {
    await_end();
    stop.request_stop();
  }};
  const auto outcome = unpack(archive, target, limits, stop.get_token());
  send(unpack_answer(outcome));
  ::shutdown(to_agent, SHUT_RDWR);
  agent.join();
  return outcome ? 0 : 1;
}
