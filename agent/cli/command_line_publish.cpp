// outpost publish: one file on a server, and the label that leads to it.

#include "agent/cli/command_line.hpp"

namespace outpost::cli {

void CommandLine::add_publish() {
  auto* command = app.add_subcommand("publish", "Put a file on a server, and lead a label there");
  auto* file = command->add_option("FILE", publication.file, "What goes there");
  command->add_option("--content", publication.content, "A text that goes there instead, without a line's end")
      ->excludes(file);
  command->add_option("--to", publication.to, "The directory, as [USER@]HOST:DIRECTORY by SFTP, or on this machine")
      ->required();
  command->add_option("-l,--label", publication.label, "The link that then leads to it")->required();
  command->add_option("--name", publication.name, "What it is called there (default: as here, or as the text)");
  command->add_option("--port", publication.port, "Of ssh")->capture_default_str()->check(CLI::Range(1, 65535));
  command->add_option("--key", publication.key, "Key to log in with (default: what ssh has)");
  command->add_option("--known-hosts", publication.known_hosts, "Keys of hosts (default: what ssh has)");
  command->add_flag("-n,--dry-run", publication.dry_run, "Say what would be done; write nothing");
  add_json_flag(*command, publication.as_json);
  command->footer(
      "Examples:\n  outpost publish --content CentOS-Stream-9-20261127.0 --to "
      "uploader@images.example.org:/srv/composes "
      "\\\n      --label latest-compose\n"
      "  outpost publish build/report.json --name report-42.json --to /srv/reports --label current\n\n"
      "previous-LABEL leads to what the label named before. A link is turned over in one go: nobody ever finds none. "
      "A\n"
      "file of that name with another content is left alone, and so is the label.");
  command->callback([this] { result = publish(publication); });
}

}  // namespace outpost::cli
