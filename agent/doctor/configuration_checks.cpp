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

std::string check_command(const Examination& examination) {
  return "outpost config check --config " + examination.file.string();
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
  for (const auto& file : files) command += " " + file.string();
  Finding finding = failed(counted(files.size(), "file") + " with secrets that every user can read",
                           "every user of this machine can read the secrets, so the daemon refuses them", command);
  finding.repair = [files] { return close_secrets(files); };
  return finding;
}

}  // namespace

Finding check_configuration(Examination& examination) {
  if (!examination.loaded) {
    const auto count = examination.problems.list.size();
    if (count == 1 && !examination.machine.has(examination.file) && examination.machine.is_real())
      return failed("there is no " + examination.file.string(), "the daemon cannot start without a configuration",
                    "outpost setup --from-dci DIRECTORY --output " + examination.file.string() +
                        ", or write one: man outpost.yml");
    return failed(counted(count, "mistake") + " in " + examination.file.string(), examination.problems.text(),
                  "correct the lines above; then: " + check_command(examination));
  }
  if (auto open = open_secrets(*examination.settings()); !open.empty()) return open_secrets_found(open);
  auto mistakes = examination.outside.selection_mistakes(*examination.loaded);
  for (const auto& problem : config::check(*examination.loaded, examination.environment))
    mistakes.push_back(problem.text());
  if (!mistakes.empty())
    return failed(counted(mistakes.size(), "mistake") + " in " + examination.file.string(), join(mistakes, "\n") + "\n",
                  "correct the lines above; then: " + check_command(examination));
  const auto& settings = *examination.settings();
  return passed(examination.file.string() + ": " + counted(settings.sources.size(), "source") + ", " +
                counted(settings.jobs.size(), "job") + ", " + counted(settings.resources.size(), "resource") + ", " +
                counted(settings.slots, "slot"));
}

namespace {

/// PL004: a command is missing. PL021: something else of this machine or agent is.
bool is_requirement(const PluginMistake& mistake) { return mistake.code == "PL004" || mistake.code == "PL021"; }

Finding plugin_finding(Examination& examination, bool requirements, const std::string& fix) {
  if (!examination.loaded) return skipped("the configuration cannot be read (D01)");
  std::string errors, warnings, cure;
  std::size_t count = 0;
  for (const auto& mistake : examination.outside.plugin_mistakes(*examination.loaded)) {
    if (is_requirement(mistake) != requirements) continue;
    (mistake.is_error ? errors : warnings) += mistake.text + "\n";
    if (cure.empty()) cure = mistake.fix;
    ++count;
  }
  std::size_t plugins = 0;
  for (const auto& job : examination.settings()->jobs) plugins += job.plugins.size();
  const std::string used = counted(plugins, "plugin") + " in " + counted(examination.settings()->jobs.size(), "job");
  if (count == 0) return passed(used);
  if (cure.empty()) cure = fix;
  const std::string measured = counted(count, "finding") + " about " + used;
  return errors.empty() ? warned(measured, warnings, cure) : failed(measured, errors + warnings, cure);
}

}  // namespace

Finding check_plugins(Examination& examination) {
  return plugin_finding(examination, false, "correct the plugin; then: outpost plugin lint DIRECTORY");
}

Finding check_requirements(Examination& examination) {
  return plugin_finding(examination, true,
                        "install the packages that bring what is missing: dnf install '*/bin/COMMAND'");
}

}  // namespace outpost::doctor
