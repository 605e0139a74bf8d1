// outpost component: the other side of a topic.

#include "agent/cli/command_line.hpp"

namespace outpost::cli {

void CommandLine::add_component() {
  auto* group = app.add_subcommand("component", "Publish components of a topic, as the product's maker does");
  group->require_subcommand(1);
  auto* create = group->add_subcommand("create", "Make a component of a topic, with its files, unless it is there");
  create->add_option("NAME", component.name, "What people call it, such as 'ACME Storage 1.0'")->required();
  create->add_option("FILE", component.files, "Files of it; of a directory all that is below");
  create->add_option("--topic", component.topic, "The name of the topic")->required();
  create->add_option("--type", component.type, "One of the topic's component types")->required();
  create->add_option("--version", component.version, "Its version (default: what the server reads out of the name)");
  create->add_option("--tag", component.tags, "Such as build:nightly; may be given several times")
      ->allow_extra_args(false);
  create->add_option("--url", component.url, "Where people read about it");
  create->add_option("--uid", component.uid, "What its maker tells it apart by, such as a commit");
  create->add_option("--title", component.title, "A line about it");
  create->add_option("--message", component.message, "More about it");
  create->add_option("--released-at", component.released_at, "When it was released (default: now)");
  create->add_flag("--inactive", component.inactive, "Agents do not see it yet");
  add_component_options(*create);
  create->footer(
      "Agents see it once all of its files are there. Doing it again goes on where it was interrupted, and doubles\n"
      "nothing.\n\n"
      "Examples:\n  outpost component create --topic ACME-1 --type acme-storage --version 1.0 'ACME Storage 1.0' "
      "build/\n"
      "  outpost component create --topic ACME-1 --type acme --tag build:nightly --json 'ACME 1.1' | jq -r "
      ".component.id");
  create->callback([this] {
    component.config = config;
    result = create_component(component);
  });
  auto* upload = group->add_subcommand("upload", "Bring files to a component, those that are not there");
  upload->add_option("COMPONENT", component.component, "The component's id at the server")->required();
  upload->add_option("FILE", component.files, "Files; of a directory all that is below")->required();
  add_component_options(*upload);
  upload->footer(
      "Examples:\n  outpost component upload 5c2b0f0e-3d0b-4f55-9a3a-1c1de0a4c0de acme-storage-1.0.tar.zst\n"
      "  outpost component upload --credentials feeder.sh 5c2b0f0e-3d0b-4f55-9a3a-1c1de0a4c0de build/");
  upload->callback([this] {
    component.config = config;
    result = upload_to_component(component);
  });
}

void CommandLine::add_component_options(CLI::App& command) {
  add_config_option(command);
  command.add_option("--credentials", component.credentials,
                     "Of a feeder (or remoteci): dcirc.sh or YAML (default: DCI_CLIENT_ID and DCI_API_SECRET of the "
                     "environment, else those of the source)");
  command.add_option("--source", component.source, "The source of the configuration (default: the only one)");
  add_json_flag(command, component.as_json);
}

}  // namespace outpost::cli
