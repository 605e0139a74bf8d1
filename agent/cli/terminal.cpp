#include "agent/cli/terminal.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace outpost::cli {

bool may_colour(int descriptor) {
  const char* no_colour = std::getenv("NO_COLOR");
  if (no_colour && *no_colour) return false;
  const char* terminal = std::getenv("TERM");
  return ::isatty(descriptor) == 1 && !(terminal && std::string_view{terminal} == "dumb");
}

}  // namespace outpost::cli
