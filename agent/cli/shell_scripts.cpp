// Completion for zsh and fish, made of the table of commands. That for bash is outpost.bash, which asks the program.

#include "agent/base/text.hpp"
#include "agent/cli/command_table.hpp"

#include <map>

namespace outpost::cli {
namespace {

/// As one word of a shell.
std::string quoted(const std::string& text, const char* quote) { return "'" + replace_all(text, "'", quote) + "'"; }
std::string for_zsh(const std::string& text) { return quoted(text, "'\\''"); }
std::string for_fish(const std::string& text) { return quoted(replace_all(text, "\\", "\\\\"), "\\'"); }

std::map<std::string, std::string> descriptions(const std::vector<CommandEntry>& table) {
  std::map<std::string, std::string> what;
  for (const auto& entry : table) what[entry.path] = entry.what;
  return what;
}

/// "name:what it does", as _describe takes it.
std::string described(const std::string& name, const std::string& what) { return for_zsh(replace_all(name, ":", "\\:") + ":" + what); }

/// The command that lists what may stand where this one has its operand; "" where nothing does. outpost.bash has the same.
std::string lists_operands(const CommandEntry& entry) {
  if (entry.operands.empty() || entry.path == "outpost job start") return "";
  const std::string& operand = entry.operands.front();
  if (operand == "JOB") return "job list";
  if (operand == "PLUGIN") return "plugin list";
  if (operand == "REPORTER" || entry.path.starts_with("outpost reporter ")) return "reporter list";
  if (entry.path.starts_with("outpost resource ")) return "resource list";
  return entry.path == "outpost alarm ack" ? "alarm list" : "";
}

/// The first column of what a command lists, without its heading and its remarks.
constexpr const char* first_column = R"(2>/dev/null | awk -F '  ' '/^$/ { exit } !/^ / && $1 !~ /^(no |NAME$|What )/ { print $1 }')";

constexpr const char* zsh_begin = R"script(#compdef outpost
# Completion of outpost for zsh, made by `outpost completion zsh`.

_outpost_names() {  # COMMAND OPTION...
  local -a bound
  whence -p timeout >/dev/null && bound=(timeout 2)  # Nobody waits longer at a TAB for a daemon that hangs.
  $bound outpost ${=1} ${@[2,-1]} NAMES
}

_outpost() {
  local at=outpost word last lists=
  local -i index
  local -a commands options names where
  # The subcommands before the cursor; an option may have a value, which is none of them.
  for ((index = 2; index < CURRENT; index++)); do
    word=${words[index]}
    # The daemon that is meant.
    [[ $word == --(config|socket)=* ]] && where+=(${(Q)word})
    [[ $last == --(config|socket) ]] && where+=($last ${(Q)word})
    last=$word
    case "$at $word" in
)script";

constexpr const char* zsh_end = R"script(  esac
  if [[ $PREFIX == -* ]]; then
    _describe -o option options
  elif (( $#commands )); then
    _describe command commands
  else
    [[ -z $lists ]] || names=(${(f)"$(_outpost_names $lists $where)"})
    if (( $#names )); then
      compadd -a names
    else
      _files
    fi
  fi
}

# As a function of $fpath it is called at once; where it was read, it is registered.
if [[ $funcstack[1] == _outpost ]]; then
  _outpost "$@"
else
  compdef _outpost outpost
fi
)script";

constexpr const char* fish_begin = R"script(# Completion of outpost for fish, made by `outpost completion fish`.

# Whether the subcommands before the cursor are these; an option may have a value, which is none of them.
function __outpost_at
    set -l at outpost
    for word in (commandline --tokenize --cut-at-cursor --current-process)[2..-1]
        contains -- "$at $word" $__outpost_paths; and set at "$at $word"
    end
    test "$at" = "$argv"
end

function __outpost_names
    # The daemon that is meant.
    set -l where
    set -l last
    for word in (commandline --tokenize --cut-at-cursor --current-process)
        string match --quiet --regex '^--(config|socket)=' -- $word; and set -a where $word
        contains -- "$last" --config --socket; and set -a where $last $word
        set last $word
    end
    # Nobody waits longer at a TAB for a daemon that hangs.
    set -l bound env
    command --query timeout; and set bound timeout 2
    $bound outpost $argv $where NAMES
end

)script";

}  // namespace

std::string zsh_completion(const std::vector<CommandEntry>& table) {
  const auto what = descriptions(table);
  std::string paths, cases;
  for (const auto& entry : table) {
    if (&entry != &table.front()) paths += (paths.empty() ? "      (" : "|") + for_zsh(entry.path);
    cases += "    (" + for_zsh(entry.path) + ")\n      commands=(";
    for (const auto& name : entry.subcommands) cases += "\n        " + described(name, what.at(entry.path + " " + name));
    cases += ")\n      options=(";
    for (const auto& option : entry.options)
      for (const auto& name : option.names) cases += "\n        " + described(name, option.what);
    cases += ")";
    if (const auto lists = lists_operands(entry); !lists.empty()) cases += "\n      lists=" + for_zsh(lists);
    cases += " ;;\n";
  }
  return replace_all(zsh_begin, "NAMES", first_column) + paths + ") at=\"$at $word\" ;;\n    esac\n  done\n  case $at in\n" + cases + zsh_end;
}

std::string fish_completion(const std::vector<CommandEntry>& table) {
  const auto what = descriptions(table);
  std::string script = replace_all(fish_begin, "NAMES", first_column), lines;
  script += "set -g __outpost_paths";
  for (const auto& entry : table) {
    const std::string head = "complete -c outpost -n " + for_fish("__outpost_at " + entry.path);
    if (&entry != &table.front()) script += " \\\n    " + for_fish(entry.path);
    if (!entry.subcommands.empty()) lines += head + " -f\n";
    for (const auto& name : entry.subcommands) lines += head + " -a " + name + " -d " + for_fish(what.at(entry.path + " " + name)) + "\n";
    if (const auto lists = lists_operands(entry); !lists.empty()) lines += head + " -f -a " + for_fish("(__outpost_names " + lists + ")") + "\n";
    for (const auto& option : entry.options) {
      lines += head;
      for (const auto& name : option.names) lines += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      lines += std::string{option.takes_value ? " -r" : ""} + " -d " + for_fish(option.what) + "\n";
    }
  }
  return script + "\n\n" + lines;
}

}  // namespace outpost::cli
