#include "plugins/hooks/script.hpp"

#include "agent/base/shell_word.hpp"
#include "agent/base/text.hpp"
#include "agent/config/values.hpp"
#include "plugins/hooks/plugin.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <vector>

namespace outpost::hooks {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_text = 1024 * 1024;
constexpr std::size_t longest_first_line = 4096;  // The kernel reads less of it.

std::string beginning_of(const fs::path& file, std::size_t most) {
  std::ifstream stream{file, std::ios::binary};
  std::string text(most, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(most));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

/// "#!/usr/bin/env -S LANG=C python3 -u" is started by python3.
std::string interpreter_of(const std::string& line) {
  std::vector<std::string> words;
  for (const auto& word : split(line.substr(2), ' '))
    if (!word.empty()) words.push_back(word);
  if (words.empty()) return {};
  if (!words[0].ends_with("/env")) return words[0];
  for (auto word = words.begin() + 1; word != words.end(); ++word) {
    if (*word == "-u" || *word == "-C") {
      if (++word == words.end()) break;  // What it unsets, or where it goes.
    } else if (word->front() != '-' && word->find('=') == std::string::npos) {
      return *word;
    }
  }
  return {};
}

std::string first_line_of(const std::string& text) { return text.substr(0, text.find('\n')); }

void check_first_line(const std::string& text, const std::string& shown, Diagnoses& diagnoses) {
  const auto say = [&](std::string message, std::string fix) {
    diagnoses.push_back({"PL003", Severity::error, {shown, 1, 1}, std::move(message), std::move(fix)});
  };
  if (text.starts_with("\x7f" "ELF")) return;
  const std::string first = first_line_of(text);
  if (!first.starts_with("#!")) return say("no #! line says what runs it", "begin it with #!/bin/bash, or another interpreter");
  if (first.ends_with('\r')) return say("CRLF line endings: the kernel looks for an interpreter whose name ends in a carriage return", "sed -i 's/\\r$//' " + shell_word(shown));
  const std::string interpreter = interpreter_of(first);
  if (interpreter.empty()) return say("the #! line names no interpreter", "write #!/bin/bash, or another interpreter");
  if (const auto program = trim(std::string_view{first}.substr(2)); !program.starts_with('/'))
    return say("the kernel looks for no interpreter in the PATH", "write #!/usr/bin/env " + std::string{program.find(' ') != program.npos ? "-S " : ""} + std::string{program});
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

Script read_script(const fs::path& file, const std::string& shown) {
  Script script{shown, beginning_of(file, most_text), {}};
  if (const auto first = first_line_of(script.text); first.starts_with("#!")) script.interpreter = fs::path{interpreter_of(first)}.filename();
  return script;
}

Diagnoses start_mistakes(const fs::path& file, const std::string& shown) {
  Diagnoses mistakes;
  std::error_code error;
  const auto status = fs::status(file, error);
  if (!fs::is_regular_file(status)) {
    const bool is_there = fs::exists(status);
    mistakes.push_back({"PL002", Severity::error, {shown, 0, 0}, is_there ? "is no file" : "leads nowhere", "put the executable in its place"});
    return mistakes;
  }
  // root may read what nobody can run; whether one can run it, the mode says.
  if ((status.permissions() & (fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec)) == fs::perms::none)
    mistakes.push_back({"PL002", Severity::error, {shown, 0, 0}, "is not executable", "chmod +x " + shell_word(shown)});
  struct statvfs system{};
  if (::statvfs(file.c_str(), &system) == 0 && (system.f_flag & ST_NOEXEC) != 0)
    mistakes.push_back({"PL015", Severity::error, {shown, 0, 0}, "lies on a file system that is mounted noexec", "move the plugin"});
  if (::access(file.c_str(), R_OK) != 0)
    mistakes.push_back({"PL002", Severity::warning, {shown, 0, 0}, "cannot be read by this user, so nothing can be said of it", {}});
  else
    check_first_line(beginning_of(file, longest_first_line), shown, mistakes);
  return mistakes;
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
