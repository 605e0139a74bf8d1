#include "plugins/hooks/script.hpp"

#include "agent/base/text.hpp"
#include "agent/config/values.hpp"
#include "plugins/hooks/plugin.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <vector>

namespace outpost::hooks {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_text = 1024 * 1024;

/// "#!/usr/bin/env -S python3 -u" is started by python3.
std::string interpreter_of(const std::string& line) {
  std::vector<std::string> words;
  for (const auto& word : split(line.substr(2), ' '))
    if (!word.empty()) words.push_back(word);
  if (words.empty()) return {};
  if (!words[0].ends_with("/env")) return words[0];
  const auto command = std::find_if(words.begin() + 1, words.end(), [](const std::string& word) { return word.front() != '-'; });
  return command == words.end() ? std::string{} : *command;
}

void check_first_line(Script& script, Diagnoses& diagnoses) {
  const auto say = [&](std::string message, std::string fix) {
    diagnoses.push_back({"PL003", Severity::error, {script.shown, 1, 1}, std::move(message), std::move(fix)});
  };
  if (script.text.starts_with("\x7f" "ELF")) return;
  std::string first = script.text.substr(0, script.text.find('\n'));
  if (!first.starts_with("#!")) return say("no #! line says what runs it", "begin it with #!/bin/bash, or another interpreter");
  if (first.ends_with('\r')) return say("CRLF line endings: the kernel looks for an interpreter whose name ends in a carriage return", "sed -i 's/\\r$//' " + script.shown);
  const std::string interpreter = interpreter_of(first);
  if (interpreter.empty()) return say("the #! line names no interpreter", "write #!/bin/bash, or another interpreter");
  script.interpreter = fs::path{interpreter}.filename();
  if (!is_command(interpreter)) say("there is no interpreter " + config::quote(interpreter), "install it, or correct the #! line");
}

/// Without what stands behind a #, as far as that can be told line by line.
std::string code_of(const std::string& line) {
  const auto comment = line.starts_with('#') ? 0 : line.find(" #");
  return line.substr(0, comment);
}

const std::vector<std::string> shells{"sh", "bash", "dash", "ksh"};

}  // namespace

bool Script::is_shell() const { return std::find(shells.begin(), shells.end(), interpreter) != shells.end(); }

Script read_script(const fs::path& file, const std::string& shown, Diagnoses& diagnoses) {
  Script script{shown, {}, {}};
  std::ifstream stream{file, std::ios::binary};
  script.text.resize(most_text);
  stream.read(script.text.data(), static_cast<std::streamsize>(most_text));
  script.text.resize(static_cast<std::size_t>(stream.gcount()));
  std::error_code error;
  const auto mode = fs::status(file, error).permissions();
  if (error || (stream.bad() && script.text.empty())) {
    diagnoses.push_back({"PL002", Severity::error, {shown, 0, 0}, "cannot be read", {}});
    return script;
  }
  // root may read what nobody can run; whether one can run it, the mode says.
  if ((mode & (fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec)) == fs::perms::none)
    diagnoses.push_back({"PL002", Severity::error, {shown, 0, 0}, "is not executable", "chmod +x " + shown});
  struct statvfs system{};
  if (::statvfs(file.c_str(), &system) == 0 && (system.f_flag & ST_NOEXEC) != 0)
    diagnoses.push_back({"PL015", Severity::error, {shown, 0, 0}, "lies on a file system that is mounted noexec", "move the plugin"});
  check_first_line(script, diagnoses);
  return script;
}

void check_shell(const Script& script, const ScriptContext& context, Diagnoses& diagnoses) {
  static const std::regex traces{R"((^|[;&|\s])set\s+(-[a-wyz]*x|-o\s+xtrace))"};
  static const std::regex writes{R"re((^|[^<>0-9&-])[0-9]?>>?\s*(/(?!dev/)[A-Za-z0-9_.][^\s;|&)"']*))re"};
  static const std::regex background{R"([^&|>]&\s*$)"};
  static const std::regex sudo{R"((^|[;&|(]|\s(then|do|else|exec|!))\s*(sudo|su|pkexec)\s)"};
  static const std::regex waits{R"((^|[;&|\s(])wait(\s|;|$))"};
  const auto lines = split(script.text, '\n');
  const bool has_wait = std::any_of(lines.begin(), lines.end(), [](const auto& line) { return std::regex_search(code_of(line), waits); });
  const auto say = [&](const char* code, std::size_t line, std::ptrdiff_t column, std::string message, std::string fix) {
    diagnoses.push_back({code, Severity::warning, {script.shown, static_cast<int>(line + 1), static_cast<int>(column + 1)}, std::move(message), std::move(fix)});
  };
  for (std::size_t number = 0; number < lines.size(); ++number) {
    if (lines[number].size() > 4096) continue;  // No line of a script that somebody reads.
    const std::string code = number == 0 && lines[0].starts_with("#!") ? lines[0] : code_of(lines[number]);
    std::smatch match;
    const bool traced = number == 0 ? std::regex_search(code, match, std::regex{R"(\s-[a-wyz]*x)"}) : std::regex_search(code, match, traces);
    if (context.plugin_has_secrets && traced)
      say("PL008", number, match.position(0), "set -x prints what the hook does with its secrets", "remove it, or use it around lines without secrets");
    if (std::regex_search(code, match, writes))
      say("PL009", number, match.position(2), "writes to " + printable(match.str(2), 80) + ", which is no directory of the job", "write below \"$OUTPOST_WORKSPACE\" or \"$OUTPOST_TMP\"");
    if (!context.is_root && std::regex_search(code, match, sudo))
      say("PL022", number, match.position(3), match.str(3) + " fails in every profile but root, in which nobody needs it", "say isolation: {user: root} in plugin.yml, and profile: root in the job");
    if (!has_wait && std::regex_search(code, match, background))
      say("PL011", number, match.position(0) + 1, "a background process is killed when the hook ends, with a warning", "wait for it");
  }
}

}  // namespace outpost::hooks
