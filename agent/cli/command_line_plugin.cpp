// outpost plugin: write, check and try them.

#include "agent/cli/command_line.hpp"

namespace outpost::cli {

void CommandLine::add_plugin() {
  auto* group = app.add_subcommand("plugin", "Plugins: write, check and try them");
  group->require_subcommand(1);
  auto* make = group->add_subcommand("new", "Make a plugin to begin with");
  make->add_option("NAME", plugin_new.name, "The plugin's name")->required();
  make->add_option("-l,--lang", plugin_new.language, "Language of its hooks")
      ->check(CLI::IsMember({"sh", "python", "ansible"}))
      ->capture_default_str();
  make->add_option("-d,--directory", plugin_new.directory, "Where (default: a folder of its name)");
  add_json_flag(*make, plugin_new.as_json);
  make->footer("Examples:\n  outpost plugin new acme-storage\n  outpost plugin new acme-storage --lang python");
  make->callback([this] { result = new_plugin(plugin_new); });
  auto* lint = group->add_subcommand("lint", "Say what is wrong with plugins");
  lint->add_option("DIRECTORY", plugin_lint.directories, "Folders of plugins (default: the current one)");
  lint->add_option("-f,--format", plugin_lint.format, "Of the report")
      ->check(CLI::IsMember({"human", "json", "sarif"}))
      ->capture_default_str();
  lint->add_flag("--strict", plugin_lint.strict, "Warnings count");
  lint->add_flag("--json", plugin_lint.as_json, "Print it for programs, see outpost(1)")->excludes("--format");
  lint->footer(
      "Examples:\n  outpost plugin lint\n  outpost plugin lint --format sarif plugins.d/* >lint.sarif\n\n"
      "Exit status 0: no errors; 1: warnings, with --strict; 2: errors.");
  lint->callback([this] { result = lint_plugins(plugin_lint); });
  auto* list = group->add_subcommand("list", "The plugins that a job of this machine can name");
  add_config_option(*list);
  add_json_flag(*list, as_json);
  list->footer("Examples:\n  outpost plugin list\n  outpost plugin list --config ./outpost.yml");
  list->callback([this] { result = list_plugins(config, as_json); });
  auto* show = group->add_subcommand("show", "Everything about one plugin");
  add_config_option(*show);
  show->add_option("PLUGIN", plugin, "The name of one that is installed, or a folder")->required();
  add_json_flag(*show, as_json);
  show->footer("Examples:\n  outpost plugin show rpm-certify\n  outpost plugin show ./acme-storage");
  show->callback([this] { result = show_plugin(config, plugin, as_json); });
  add_plugin_run(*group);
  add_plugin_test(*group);
  add_plugin_packages(*group);
  add_plugin_places(*group);
}

void CommandLine::add_plugin_test(CLI::App& group) {
  auto* test = group.add_subcommand("test", "Run a plugin's test cases, without a server and without the lab");
  test->add_option("CASE", plugin_test.what, "Names of cases in tests/ (default: all); in front of them the plugin's folder, if it is not the current one");
  test->add_option("--junit", plugin_test.junit, "Write a JUnit report there");
  add_json_flag(*test, plugin_test.as_json);
  test->add_flag("--keep", plugin_test.keep, "Keep the files of each run, and say where");
  test->footer(
      "Examples:\n  outpost plugin test\n  outpost plugin test ./acme-storage\n  outpost plugin test install --keep\n\n"
      "Exit status 0: nothing failed; 1: a case failed; 5: the plugin or a case is wrong.");
  test->callback([this] { result = test_plugin(plugin_test); });
}

void CommandLine::add_plugin_job_options(CLI::App& command) {
  command.add_option("-p,--plugin", plugin_run.plugin, "The plugin's folder")->capture_default_str();
  command.add_option("-j,--job", plugin_run.job, "A job file (default: job.yml of the plugin, if there is one)");
  command.add_option("--config", plugin_run.config,
                     "A file with what the plugin is configured with, instead of what the job says");
}

void CommandLine::add_plugin_run(CLI::App& group) {
  auto* run = group.add_subcommand("run", "Run a plugin in a job on this machine, without a server");
  run->add_option("STAGE", plugin_run.stage, "Only this stage (default: all); or the plugin's folder");
  add_plugin_job_options(*run);
  run->add_option("--until", plugin_run.until, "The stages from STAGE to this one");
  run->add_option("-d,--directory", plugin_run.directory,
                  "Where logs, results and artifacts go (default: a temporary directory)");
  run->add_flag("--keep", plugin_run.keep, "Keep the temporary directory");
  run->add_flag("-q,--quiet", plugin_run.quiet, "Don't show what the hooks print");
  run->add_flag("--dry-run", plugin_run.dry_run,
                "Only say what would run, in which order, and what would be passed over; run the hooks that support it");
  add_json_flag(*run, plugin_run.as_json);
  run->footer(
      "Examples:\n  outpost plugin run\n  outpost plugin run install --until test --keep\n"
      "  outpost plugin run --dry-run\n\n"
      "Exit status 0: the verdict is success; 1: it is not; 5: the plugin or the job is wrong.");
  run->callback([this] { result = run_plugin(plugin_run); });
  auto* env = group.add_subcommand("env", "Print the environment that a hook would find");
  env->add_option("STAGE", plugin_run.stage, "The hook's stage")->required();
  add_plugin_job_options(*env);
  add_json_flag(*env, plugin_run.as_json);
  env->footer("Examples:\n  outpost plugin env test\n  outpost plugin env --plugin ./acme-storage install");
  env->callback([this] { result = show_plugin_environment(plugin_run); });
}

void CommandLine::add_plugin_packages(CLI::App& group) {
  auto* pack = group.add_subcommand("pack", "Write a plugin into an archive");
  pack->add_option("DIRECTORY", plugin_package.path, "The plugin's folder")->capture_default_str();
  pack->add_option("-o,--output", plugin_package.output, "The archive (default: NAME-VERSION.tgz here)");
  pack->add_option("--sign", plugin_package.sign_with, "Sign it with this SSH key, into ARCHIVE.sig");
  add_json_flag(*pack, plugin_package.as_json);
  pack->footer("Examples:\n  outpost plugin pack\n  outpost plugin pack --sign ~/.ssh/id_ed25519 ./acme-storage");
  pack->callback([this] { result = pack_plugin(plugin_package); });
  auto* verify = group.add_subcommand("verify", "Look whether a packed plugin, or a folder, is what it says, and right");
  verify->add_option("ARCHIVE", plugin_package.path, "An archive of `outpost plugin pack`, or a folder")->required();
  verify->add_option("--signers", plugin_package.signers, "It has to be signed by one of these (ssh-keygen(1), ALLOWED SIGNERS)");
  verify->add_option("--digest", plugin_package.digest, "What the digest has to be");
  add_json_flag(*verify, plugin_package.as_json);
  verify->footer("Examples:\n  outpost plugin verify acme-storage-1.0.tgz\n  outpost plugin verify --signers /etc/outpost/signers acme-storage-1.0.tgz");
  verify->callback([this] { result = verify_plugin(plugin_package); });
}

void CommandLine::add_plugin_places(CLI::App& group) {
  auto* install = group.add_subcommand("install", "Verify a plugin, and put it where jobs find it");
  add_config_option(*install);
  install->add_option("ARCHIVE", plugin_package.path, "An archive of `outpost plugin pack`, or a folder")->required();
  install->add_option("--to", plugin_package.directory, "A directory of plugins (default: the first of plugins_path)");
  install->add_option("--signers", plugin_package.signers, "It has to be signed by one of these (ssh-keygen(1), ALLOWED SIGNERS)");
  install->add_option("--digest", plugin_package.digest, "What the digest has to be");
  install->add_flag("--force", plugin_package.force, "Replace a plugin of the same name");
  add_json_flag(*install, plugin_package.as_json);
  install->footer("Jobs that run keep the plugin that they have begun with.\n\nExamples:\n  outpost plugin install acme-storage-1.0.tgz\n  outpost plugin install --force ./acme-storage");
  install->callback([this] {
    plugin_package.config = config;
    result = install_plugin(plugin_package);
  });
  auto* remove = group.add_subcommand("remove", "Take an installed plugin away");
  add_config_option(*remove);
  remove->add_option("PLUGIN", plugin_package.name, "Its name")->required();
  remove->add_option("--from", plugin_package.directory, "The directory of plugins (default: the first of plugins_path)");
  remove->add_flag("--force", plugin_package.force, "Also one that jobs of the configuration name");
  add_json_flag(*remove, plugin_package.as_json);
  remove->footer("Examples:\n  outpost plugin remove acme-storage\n  outpost plugin remove --force --from /etc/outpost/plugins.d acme-storage");
  remove->callback([this] {
    plugin_package.config = config;
    result = remove_plugin(plugin_package);
  });
}

}  // namespace outpost::cli
