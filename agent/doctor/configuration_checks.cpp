#include "agent/base/shell_word.hpp"
#include "agent/base/text.hpp"
#include "agent/config/check.hpp"
#include "agent/config/small_file.hpp"
#include "agent/doctor/checks.hpp"

#include <sys/stat.h>

#include <cerrno>

namespace outpost::doctor {
namespace {

std::string counted(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

/// The first of the DCI agents of this machine, whose configuration can be carried over.
std::string directory_of_dci(const Machine& machine) {
  for (const char* directory : {"/etc/dci-openshift-agent", "/etc/dci-rhel-agent", "/etc/dci-pipeline"})
    if (machine.has(directory)) return directory;
  return {};
}

Finding no_configuration(const Examination& examination) {
  const std::string file = shell_word(examination.file.string()), dci = directory_of_dci(examination.machine);
  return failed("there is no " + examination.file.string(), "the daemon cannot start without a configuration",
                {dci.empty() ? "man outpost.yml" : "outpost setup --from-dci " + dci + " --output " + file,
                 "write one; on a jumphost of DCI's agents: outpost setup --from-dci DIRECTORY --output " + file});
}

/// The editor at the first mistake, then whether all is right.
Cure correction(const Examination& examination, const config::Origin& first) {
  const auto edit = examination.edit(first);
  return {(edit.empty() ? edit : edit + "\n") + examination.command("config check"), "correct the lines above"};
}

/// The files with secrets that every user of the machine may read, which is why they are refused.
std::vector<std::filesystem::path> open_secrets(const config::Settings& settings) {
  std::vector<std::filesystem::path> files;
  const auto look = [&](const std::filesystem::path& file) {
    struct stat status{};
    if (!file.empty() && ::stat(file.c_str(), &status) == 0 && (status.st_mode & (S_IROTH | S_IWOTH)) != 0)
      files.push_back(file);
  };
  for (const auto& [name, source] : settings.sources) {
    look(source.credentials.file);
    look(source.api_secret.file);
    look(source.client_key);
  }
  for (const auto& [name, secret] : settings.secrets) look(secret.file);
  return files;
}

Result<std::string> close_secrets(const std::vector<std::filesystem::path>& files) {
  for (const auto& file : files) {
    struct stat status{};
    if (::stat(file.c_str(), &status) != 0) return errno_error("reading", file.native(), errno);
    if (::chmod(file.c_str(), status.st_mode & 0770) != 0) return errno_error("chmod", file.native(), errno);
  }
  return counted(files.size(), "file") + " with secrets can no longer be read by every user";
}

Finding open_secrets_found(const std::vector<std::filesystem::path>& files) {
  std::string command = "chmod o=";
  for (const auto& file : files) command += " " + shell_word(file.string());
  Finding finding = failed(counted(files.size(), "file") + " with secrets that every user can read",
                           "every user of this machine can read the secrets, so the daemon refuses them", {command});
  finding.repair = [files] { return close_secrets(files); };
  return finding;
}

}  // namespace

Finding check_configuration(Examination& examination) {
  if (!examination.loaded) {
    const auto count = examination.problems.list.size();
    if (count == 1 && !examination.machine.has(examination.file) && examination.machine.is_real())
      return no_configuration(examination);
    return failed(counted(count, "mistake") + " in " + examination.file.string(), examination.problems.text(),
                  correction(examination, count == 0 ? config::Origin{} : examination.problems.list.front().where));
  }
  if (auto open = open_secrets(*examination.settings()); !open.empty()) return open_secrets_found(open);
  auto mistakes = examination.outside.selection_mistakes(*examination.loaded);
  config::Origin first{.file = examination.loaded->file};
  for (const auto& problem : config::check(*examination.loaded, examination.environment)) {
    if (first.line == 0) first = problem.where;
    mistakes.push_back(problem.text());
  }
  if (!mistakes.empty())
    return failed(counted(mistakes.size(), "mistake") + " in " + examination.file.string(), join(mistakes, "\n") + "\n", correction(examination, first));
  const auto& settings = *examination.settings();
  return passed(examination.file.string() + ": " + counted(settings.sources.size(), "source") + ", " +
                counted(settings.jobs.size(), "job") + ", " + counted(settings.resources.size(), "resource") + ", " +
                counted(settings.slots, "slot"));
}

namespace {

/// Whether a cure of the linter begins as a command of a shell does; else it is a sentence.
bool is_command(const std::string& cure) {
  for (const char* known : {"chmod ", "chown ", "sed ", "restorecon ", "mv ", "outpost "})
    if (cure.starts_with(known)) return true;
  return false;
}

/// PL004: a command is missing. PL021: something else of this machine or agent is.
bool is_requirement(const PluginMistake& mistake) { return mistake.code == "PL004" || mistake.code == "PL021"; }

void add_line(const std::string& line, std::string& lines) {
  if (!line.empty() && ("\n" + lines).find("\n" + line + "\n") == std::string::npos) lines += line + "\n";
}

void add_cure(const Machine& machine, const PluginMistake& mistake, Cure& cure) {
  constexpr std::string_view missing = "there is no command \"";
  if (const auto at = mistake.text.find(missing); mistake.code == "PL004" && at != std::string::npos) {
    const auto begin = at + missing.size();
    return add_line(install_command_named(machine, mistake.text.substr(begin, mistake.text.find('"', begin) - begin)), cure.commands);
  }
  add_line(mistake.fix, is_command(mistake.fix) ? cure.commands : cure.advice);
}

Finding plugin_finding(Examination& examination, bool requirements, const Cure& otherwise) {
  if (!examination.loaded) return skipped("the configuration cannot be read (D01)");
  std::string errors, warnings;
  Cure cure;
  std::size_t count = 0;
  for (const auto& mistake : examination.outside.plugin_mistakes(*examination.loaded)) {
    if (is_requirement(mistake) != requirements) continue;
    (mistake.is_error ? errors : warnings) += mistake.text + "\n";
    add_cure(examination.machine, mistake, cure);
    ++count;
  }
  std::size_t plugins = 0;
  for (const auto& job : examination.settings()->jobs) plugins += job.plugins.size();
  const std::string used = counted(plugins, "plugin") + " in " + counted(examination.settings()->jobs.size(), "job");
  if (count == 0) return passed(used);
  if (cure.commands.empty()) cure.commands = otherwise.commands;
  if (cure.advice.empty()) cure.advice = otherwise.advice;
  const std::string measured = counted(count, "finding") + " about " + used;
  return errors.empty() ? warned(measured, warnings, cure) : failed(measured, errors + warnings, cure);
}

}  // namespace

Finding check_plugins(Examination& examination) {
  return plugin_finding(examination, false, {examination.command("plugin list"), "correct the plugin; then: outpost plugin lint DIRECTORY"});
}

Finding check_requirements(Examination& examination) {
  return plugin_finding(examination, true,
                        {examination.command("plugin list"), "give the machine what the plugin requires, or use another version of the plugin"});
}

}  // namespace outpost::doctor
