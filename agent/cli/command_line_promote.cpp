// outpost promote: hashes of a package builder, from label to label.

#include "agent/cli/command_line.hpp"

namespace outpost::cli {

void CommandLine::add_promote() {
  auto* command = app.add_subcommand("promote", "Promote the hashes of a DLRN builder that have passed their tests");
  command
      ->add_option("-c,--config", promotion.config,
                   "What promotes one release: the old promoter's ini or yaml, unchanged")
      ->capture_default_str()
      ->envname("OUTPOST_PROMOTER_CONFIG");
  command->add_flag("-n,--dry-run", promotion.dry_run,
                    "Say what would be promoted, and each step of it; write nothing");
  auto* target = command
                     ->add_option("-t,--target", promotion.targets,
                                  "Only this label; may be given several times (default: all of the file)")
                     ->allow_extra_args(false);
  command->add_option("--waivers", promotion.waivers,
                      "File of waivers (default: waivers.yml beside the configuration)");
  command->add_option("--state", promotion.state, "Where journals are kept, one for each release")
      ->capture_default_str();
  command
      ->add_option("--log-directory", promotion.logs,
                   "Keep a log of each run here, with the words of the old promoter")
      ->envname("OUTPOST_PROMOTER_LOGS");
  auto* force =
      command->add_option("--force", promotion.force, "Promote this hash to the one target, whatever its votes")
          ->needs(target);
  auto* back = command->add_flag("--roll-back", promotion.roll_back, "Give the one target what it named before")
                   ->needs(target)
                   ->excludes(force);
  auto* reason =
      command->add_option("-r,--reason", promotion.reason, "Why it is forced or rolled back; kept in the history");
  force->needs(reason);
  back->needs(reason);
  command->add_flag("--history", promotion.history, "Print the promotions so far, newest first")
      ->excludes(force)
      ->excludes(back);
  add_json_flag(*command, promotion.as_json);
  command->footer(
      "Examples:\n  outpost promote --config config_environments/rdo/CentOS-9/master.yaml --dry-run\n"
      "  outpost promote -c master.ini --json | jq '.targets[] | {target, outcome, message}'\n"
      "  outpost promote -c master.yaml -t current-tripleo --roll-back --reason 'breaks deployments, bug 1234'\n\n"
      "DLRNAPI_USERNAME and DLRNAPI_PASSWORD say who promotes. An interrupted promotion is finished, or put back, by "
      "the\n"
      "next run. Exit status 0: all targets are dealt with, also when nothing was to be promoted; 1: one has failed;\n"
      "6: another promoter of the release runs.");
  command->callback([this] { result = promote(promotion); });
}

}  // namespace outpost::cli
