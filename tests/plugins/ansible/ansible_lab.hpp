#pragma once

#include "agent/base/text.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace outpost::test {

/// Whether this machine has Ansible; says so when it has not.
inline bool has_ansible() {
  static const bool found = std::system("ansible-playbook --version >/dev/null 2>&1") == 0;
  if (!found) std::printf("SKIPPED: playbooks: ansible-playbook is not installed (package ansible-core)\n");
  return found;
}

/// What a step's environment has, and the launcher of playbooks in it.
struct AnsibleLab {
  AnsibleLab() {
    for (const char* name : {"tmp/home", "state", "shared", "results", "artifacts", "workspace", "secrets", "plugin"})
      std::filesystem::create_directories(directory.path / name);
    for (const auto& [name, folder] : std::map<std::string, std::string>{{"TMP", "tmp"}, {"STATE", "state"}, {"SHARED", "shared"},
                                                                         {"RESULTS", "results"}, {"ARTIFACTS", "artifacts"},
                                                                         {"WORKSPACE", "workspace"}, {"SECRETS", "secrets"}, {"PLUGIN_DIR", "plugin"}})
      environment["OUTPOST_" + name] = (directory.path / folder).string();
    environment["OUTPOST_POINT"] = "install";
    environment["OUTPOST_JOB_ID"] = "11111111-2222-4333-8444-555555555555";
    environment["OUTPOST_JOB_NAME"] = "nightly";
    environment["OUTPOST_TOPIC"] = "ACME-1";
    environment["OUTPOST_RESOURCES"] = "{}";
    environment["OUTPOST_JOB_JSON"] = (directory.path / "job.json").string();
    environment["HOME"] = (directory.path / "tmp/home").string();
    environment["PATH"] = "/usr/local/bin:/usr/bin:/bin";
    environment["LANG"] = "C.UTF-8";
    environment["NO_COLOR"] = "1";
    job("{}");
  }

  void job(const std::string& document) { write_file(directory.path / "job.json", document); }

  /// A file of the plugin.
  std::filesystem::path file(const std::string& name, const std::string& content) {
    const auto path = directory.path / "plugin" / name;
    write_file(path, content);
    return path;
  }

  /// From now on hooks run as in the sandbox of a step: as somebody who cannot become root. Says so when this machine
  /// cannot do that.
  bool give_up_privileges() {
    as_nobody = "setpriv --no-new-privs ";
    if (::geteuid() == 0) {
      as_nobody += "--reuid 65534 --regid 65534 --clear-groups ";
      for (const auto& entry : std::filesystem::recursive_directory_iterator{directory.path})
        std::filesystem::permissions(entry.path(), std::filesystem::perms::others_all, std::filesystem::perm_options::add);
      std::filesystem::permissions(directory.path, std::filesystem::perms::others_all, std::filesystem::perm_options::add);
    }
    const bool can = std::system((as_nobody + "test -r '" OUTPOST_ANSIBLE "' -a -w '" + directory.path.string() + "'").c_str()) == 0;
    if (!can) std::printf("SKIPPED: playbooks of an unprivileged user: setpriv cannot, or that user cannot read the sources\n");
    return can;
  }

  /// The exit code; `output` is what it printed.
  int run(const std::filesystem::path& hook) {
    if (const auto report = directory.path / "tmp/tasks.jsonl"; std::filesystem::is_regular_file(report)) std::filesystem::remove(report);
    std::string command = "cd '" + (directory.path / "workspace").string() + "' && env -i";
    for (const auto& [name, value] : environment) command += " '" + name + "=" + replace_all(value, "'", "'\\''") + "'";
    command += " " + as_nobody + OUTPOST_ANSIBLE " '" + hook.string() + "' 2>&1 </dev/null";
    output.clear();
    FILE* pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe);
    char buffer[4096];
    for (std::size_t size = 0; (size = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.append(buffer, size);
    const int status = ::pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  [[nodiscard]] std::string report() const { return read_file(directory.path / "tmp/tasks.jsonl"); }

  TemporaryDirectory directory;
  std::map<std::string, std::string> environment;
  std::string output;
  std::string as_nobody;  ///< What a hook's command begins with.
};

}  // namespace outpost::test
