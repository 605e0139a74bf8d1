#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"

#include <iostream>

namespace outpost::cli {

int print_completion(std::string_view script) {
  std::cout << script;
  return std::cout.flush() ? exit_ok : exit_negative;
}

}  // namespace outpost::cli
