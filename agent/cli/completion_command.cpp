#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/shown.hpp"

#include <iostream>

namespace outpost::cli {

int print_completion(std::string_view script) {
  std::cout << script;
  return exit_ok;
}

int print_version(bool as_json) {
  if (as_json) print_document("outpost-version", {{"program", OUTPOST_VERSION}});
  else std::cout << "outpost " OUTPOST_VERSION "\n";
  return exit_ok;
}

}  // namespace outpost::cli
