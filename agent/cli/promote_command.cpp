#include "agent/base/text.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/shown.hpp"
#include "agent/daemon/promote.hpp"
#include "agent/daemon/promotion_run.hpp"

#include <pwd.h>
#include <unistd.h>
#include <iostream>

namespace outpost::cli {

namespace {

static_assert(exit_busy == daemon::promoter_is_busy, "the daemon runs this command, and has to understand it");

std::string who() {
  const passwd* user = ::getpwuid(::getuid());
  return user ? user->pw_name : "uid " + std::to_string(::getuid());
}

}  // namespace

int promote(const PromoteCommandOptions& options) {
  if ((options.roll_back || !options.force.empty()) && options.targets.size() != 1) {
    std::cerr << "outpost: one --target is due with --force and --roll-back\n";
    return exit_usage;
  }
  daemon::PromoteOptions run{.config = options.config,
                             .waivers = options.waivers,
                             .state_directory = options.state,
                             .log_directory = options.logs,
                             .dry_run = options.dry_run,
                             .targets = options.targets,
                             .force = options.force,
                             .roll_back = options.roll_back,
                             .by = who() + ": " + options.reason};
  run.environment = config::environment_of(environ);
  run.say = [](const std::string& line) { std::cerr << printable(line) << "\n" << std::flush; };
  const auto answer = options.history ? daemon::promotion_history(run) : daemon::promote(run);
  if (!answer) {
    // A line for each mistake of a configuration, each with its place.
    const bool is_configuration = answer.error().fault == Fault::malformed;
    std::cerr << (is_configuration ? "" : "outpost: ") << answer.error().message << "\n";
    if (answer.error().fault == Fault::refused) return exit_busy;
    return is_configuration ? exit_configuration : exit_negative;
  }
  if (options.as_json)
    print_document(options.history ? "outpost-promote-history" : "outpost-promote", answer->json);
  else
    std::cout << answer->text;
  return answer->went_well ? exit_ok : exit_negative;
}

}  // namespace outpost::cli
