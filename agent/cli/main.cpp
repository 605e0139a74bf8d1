// outpost: the command line.

#include "agent/cli/command_line.hpp"

#include <csignal>
#include <exception>
#include <iostream>

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  outpost::cli::CommandLine line;
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    const std::string unknown = line.unknown_command();
    if (unknown.empty()) line.app.exit(error);
    else std::cerr << "outpost: " << unknown << "\n";
    return outpost::cli::exit_usage;
  } catch (const CLI::ParseError& error) {
    const int status = line.app.exit(error);
    return status == 0 ? outpost::cli::exit_ok : outpost::cli::exit_usage;
  } catch (const std::exception& failure) {
    std::cerr << "outpost: a bug, please report it: " << failure.what() << "\n";
    return outpost::cli::exit_negative;
  }
  return line.result;
}
