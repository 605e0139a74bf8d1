// outpost: the command line.

#include "agent/cli/command_line.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>

namespace {

using namespace outpost::cli;

/// Whether whoever read standard output has enough of it, as `head` does: nothing to complain about.
bool reader_is_gone() {
  pollfd output{STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&output, 1, 0) == 1 && (output.revents & (POLLERR | POLLHUP)) != 0;
}

/// The exit status of a command whose own is `status`, when what it printed has gone where it should.
int all_printed(int status) {
  errno = 0;
  if (std::cout.flush() || reader_is_gone()) return status;
  const std::string why = errno == 0 ? "" : std::string{": "} + std::strerror(errno);
  std::cerr << "outpost: standard output cannot be written" << why << "\n";
  return exit_negative;
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  CommandLine line;
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return all_printed(line.app.exit(help));
  } catch (const CLI::ParseError& error) {
    std::cerr << "outpost: " << line.usage_mistake(error) << "\n";
    return exit_usage;
  } catch (const std::exception& failure) {
    std::cerr << "outpost: a bug, please report it: " << failure.what() << "\n";
    return exit_negative;
  }
  return all_printed(line.result);
}
