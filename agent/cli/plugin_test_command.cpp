#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/shown.hpp"
#include "agent/daemon/plugin_test.hpp"

#include <fstream>
#include <iostream>
#include <system_error>

namespace outpost::cli {

int test_plugin(const PluginTestOptions& options) {
  daemon::PluginTestOptions run{.plugin = ".", .cases = options.what, .keep = options.keep};
  std::error_code ignored;
  if (!run.cases.empty() && std::filesystem::is_directory(run.cases.front(), ignored)) {
    run.plugin = run.cases.front();
    run.cases.erase(run.cases.begin());
  }
  if (!options.as_json) run.tell = [](std::string_view text) { std::cout << text << std::flush; };
  const auto tested = daemon::test_plugin(run);
  if (!tested) {
    std::cerr << (tested.error().fault == Fault::malformed ? "" : "outpost: ") << tested.error().message << "\n";
    return exit_configuration;
  }
  if (options.as_json)
    print_document("outpost-plugin-test", {{"passed", tested->passed},
                                           {"failed", tested->failed},
                                           {"skipped", tested->skipped},
                                           {"interrupted", tested->interrupted},
                                           {"runs", tested->json}});
  else
    std::cout << "\n" << tested->summary << (tested->interrupted ? "; interrupted" : "") << "\n";
  if (!options.junit.empty()) {
    std::ofstream file{options.junit, std::ios::binary};
    file << tested->junit << std::flush;
    if (!file) {
      std::cerr << "outpost: cannot write " << options.junit.string() << "\n";
      return exit_negative;
    }
  }
  return tested->failed > 0 || tested->interrupted ? exit_negative : exit_ok;
}

}  // namespace outpost::cli
