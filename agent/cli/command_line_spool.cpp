// outpost spool: archives of what waits for a server.

#include "agent/cli/command_line.hpp"

namespace outpost::cli {

void CommandLine::add_spool() {
  auto* spool = app.add_subcommand("spool", "Deliveries that travel in an archive, for labs without a connection");
  spool->require_subcommand(1);
  add_spool_export(*spool);
  add_spool_import(*spool);
  add_spool_confirm(*spool);
}

void CommandLine::add_spool_export(CLI::App& spool) {
  auto* command = spool.add_subcommand("export", "Write what waits for a server into an archive");
  add_config_option(*command);
  command->add_option("FILE", spool_export.file, "The archive (tar.zst); - is standard output")->required();
  command->add_option("-r,--reporter", spool_export.reporter,
                      "What waits for this one (default: the only one that has something waiting)");
  command->add_flag("-f,--force", spool_export.force, "Replace the file if it exists");
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
  command->footer("Example:\n  outpost spool confirm /media/stick/lab4.receipt");
  command->callback([this] {
    spool_confirm.config = config;
    result = confirm_spool(spool_confirm);
  });
}

}  // namespace outpost::cli
