// outpost spool: what waits for servers, and the archives in which it travels.

#include "agent/cli/command_line.hpp"

namespace outpost::cli {

void CommandLine::add_spool() {
  auto* spool = app.add_subcommand("spool", "What waits for control servers, also in archives for labs without a connection");
  spool->require_subcommand(1);
  add_spool_waiting(*spool);
  add_spool_flush(*spool);
  add_spool_prune(*spool);
  add_spool_export(*spool);
  add_spool_import(*spool);
  add_spool_confirm(*spool);
}

void CommandLine::add_spool_waiting(CLI::App& spool) {
  auto* status = ask_daemon(spool.add_subcommand("status", "How much waits for which server, and since when"),
                            [this] { return show_spool(daemon, as_json); });
  add_json_flag(*status, as_json);
  status->footer("Examples:\n  outpost spool status\n  outpost spool status --json | jq '.reporters[] | {name, waiting, oldest}'");
  auto* list = ask_daemon(spool.add_subcommand("list", "What waits, item by item, the oldest first"),
                          [this] { return list_spool(daemon, spool_list); });
  list->add_option("REPORTER", spool_list.reporter, "Only what waits for this one (default: for any)");
  list->add_option("-j,--job", spool_list.job, "Only of the job with this id, or whose id begins so");
  list->add_option("-n,--limit", spool_list.limit, "How many")->capture_default_str()->check(CLI::Range(1, 1000000));
  add_json_flag(*list, spool_list.as_json);
  list->footer("Examples:\n  outpost spool list\n  outpost spool list --json dci | jq '.items[] | select(.attempts > 3)'");
}

void CommandLine::add_spool_flush(CLI::App& spool) {
  auto* flush = ask_daemon(spool.add_subcommand("flush", "Try what waits now, instead of when its turn comes"),
                           [this] { return flush_spool(daemon, spool_flush); });
  flush->add_option("REPORTER", spool_flush.reporter, "Only what waits for this one (default: for any)");
  flush->add_flag("-w,--wait", spool_flush.wait, "Return when nothing waits any more");
  flush->add_option("-t,--timeout", spool_flush.timeout, "Wait no longer than this (example: 5min)");
  add_json_flag(*flush, spool_flush.as_json);
  flush->footer(
      "A time that a server has asked for is waited for all the same.\n\n"
      "Examples:\n  outpost spool flush\n  outpost spool flush --timeout 5min dci && systemctl stop outpostd\n\n"
      "Exit status with --wait or --timeout 0: nothing waits; 1: something still does.");
}

void CommandLine::add_spool_prune(CLI::App& spool) {
  auto* prune = ask_daemon(spool.add_subcommand("prune", "Free the room of jobs of which the servers have everything"),
                           [this] { return prune_spool(daemon, spool_prune); });
  prune->add_option("--older-than", spool_prune.older_than, "Only what is older than this (example: 30d)");
  auto* waiting = prune->add_flag("--waiting", spool_prune.waiting,
                                  "Instead: logs and artifacts that no server has; gap markers stand for them");
  prune->add_option("-r,--reporter", spool_prune.reporter, "Only what waits for this one (default: for any)")->needs(waiting);
  prune->add_flag("-n,--dry-run", spool_prune.dry_run, "Only say what would go");
  prune->add_flag("-y,--yes", spool_prune.yes, "Don't ask before something is given up, or the whole history removed");
  add_json_flag(*prune, spool_prune.as_json);
  prune->footer(
      "Such jobs are not in the history any more either. States, results and verdicts are never given up, nor is what has\n"
      "been tried already.\n\n"
      "Examples:\n  outpost spool prune --older-than 30d\n  outpost spool prune --waiting --reporter dci --older-than 7d --dry-run");
}

void CommandLine::add_spool_export(CLI::App& spool) {
  auto* command = spool.add_subcommand("export", "Write what waits for a server into an archive");
  add_config_option(*command);
  command->add_option("FILE", spool_export.file, "The archive (tar.zst); - is standard output")->required();
  command->add_option("-r,--reporter", spool_export.reporter,
                      "What waits for this one (default: the only one that has something waiting)");
  command->add_flag("-f,--force", spool_export.force, "Replace the file if it exists");
  add_json_flag(*command, spool_export.as_json);
  command->footer(
      "Examples:\n  outpost spool export /media/stick/lab4.tar.zst\n"
      "  outpost spool export - | ssh gate 'cat > lab4.tar.zst'\n\n"
      "Exit status 0: the archive is there; 1: nothing waits, or it could not be written.");
  command->callback([this] {
    spool_export.config = config;
    result = export_spool(spool_export);
  });
}

void CommandLine::add_spool_import(CLI::App& spool) {
  auto* command = spool.add_subcommand("import", "Check an archive and deliver what is in it");
  add_config_option(*command);
  command->add_option("FILE", spool_import.file, "What `outpost spool export` wrote")->required();
  command->add_option("-s,--source", spool_import.source,
                      "The source whose server gets it (default: the one whose remoteci it is of)");
  command->add_option("--receipt", spool_import.receipt, "Write here what was delivered, for `outpost spool confirm`");
  command->add_flag("-f,--force", spool_import.force, "Replace the receipt if it exists");
  add_json_flag(*command, spool_import.as_json);
  command->footer(
      "Examples:\n  outpost spool import /media/stick/lab4.tar.zst\n"
      "  outpost spool import --receipt /media/stick/lab4.receipt /media/stick/lab4.tar.zst\n\n"
      "Importing again doubles nothing. Exit status 0: all is at the server; 1: it is not.");
  command->callback([this] {
    spool_import.config = config;
    result = import_spool(spool_import);
  });
}

void CommandLine::add_spool_confirm(CLI::App& spool) {
  auto* command = spool.add_subcommand("confirm", "Settle here what an import elsewhere has delivered");
  add_config_option(*command);
  command->add_option("FILE", spool_confirm.file, "What `outpost spool import --receipt` wrote")->required();
  add_json_flag(*command, spool_confirm.as_json);
  command->footer("Examples:\n  outpost spool confirm /media/stick/lab4.receipt\n  outpost spool confirm --config /etc/outpost/outpost.yml lab4.receipt");
  command->callback([this] {
    spool_confirm.config = config;
    result = confirm_spool(spool_confirm);
  });
}

}  // namespace outpost::cli
