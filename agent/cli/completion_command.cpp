#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"

#include <iostream>

namespace outpost::cli {

/// outpost.bash, put into the program by CMakeLists.txt.
extern const char* const bash_completion;

int print_completion() {
  std::cout << bash_completion;
  return std::cout.flush() ? exit_ok : exit_negative;
}

}  // namespace outpost::cli
