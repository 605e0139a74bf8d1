// What the shells themselves make of the completion.
#include "agent/cli/command_line.hpp"
#include "agent/cli/command_table.hpp"

#include "cli/command_lab.hpp"
#include "support/catch.hpp"
#include "support/document.hpp"

#include <cstdio>

namespace {

namespace fs = std::filesystem;
using namespace outpost;
using namespace outpost::test;

/// A shell, if it is there, with a script that prints for each command a line "= PATH", then each word that is offered
/// for what follows the path, and for a dash.
struct Shell {
  explicit Shell(const std::string& name) : program_{"/usr/bin/" + name}, name_{name} {}

  [[nodiscard]] bool is_there() const {
    if (fs::exists(program_)) return true;
    std::printf("SKIPPED: completion in %s: it is not installed\n", name_.c_str());
    return false;
  }

  /// What is offered, by path.
  std::map<std::string, Words> offers(const std::string& script, const std::vector<std::string>& options) {
    std::vector<std::string> paths;
    for (const auto& entry : table_) paths.push_back(entry.path);
    return offers(script, options, paths, "\t:");
  }
  /// After these lines, each offer up to one of the characters `ends`.
  std::map<std::string, Words> offers(const std::string& script, const std::vector<std::string>& options, const std::vector<std::string>& lines, const char* ends) {
    write_file(directory_.path / "script", script);
    std::vector<std::string> command{program_};
    command.insert(command.end(), options.begin(), options.end());
    command.push_back((directory_.path / "script").string());
    command.insert(command.end(), lines.begin(), lines.end());
    Process process{std::move(command), directory_.path / "out"};
    const int status = process.wait();
    const std::string said = read_file(directory_.path / "out");
    INFO(said);
    CHECK(status == 0);
    std::map<std::string, Words> words;
    std::string path;
    for (const auto& line : split(said, '\n'))
      if (line.starts_with("= ")) path = line.substr(2);
      else if (!line.empty()) words[path].insert(line.substr(0, line.find_first_of(ends)));
    return words;
  }

  /// Every subcommand and every long option of every command.
  void check(const std::map<std::string, Words>& offered) const {
    for (const auto& entry : table_) {
      INFO(entry.path);
      REQUIRE(offered.contains(entry.path));
      const auto& words = offered.at(entry.path);
      for (const auto& name : entry.subcommands) {
        INFO(name);
        CHECK(words.contains(name));
      }
      for (const auto& option : entry.options) {
        INFO(option.names.back());
        CHECK(words.contains(option.names.back()));
      }
    }
  }

 private:
  std::string program_, name_;
  TemporaryDirectory directory_;
  cli::CommandLine line_;
  std::vector<cli::CommandEntry> table_ = cli::command_table(line_.app);
};

/// A program that lists jobs as outpost does, whatever else it is asked; alarms only of the daemon that is named. Names are
/// others' text: DIR/ran must not come to be.
constexpr const char* lister = R"(#!/bin/sh
case "$*" in
  'job list') echo '1a2b  success  nightly  A 1  2026-11-26T10:00:00Z'; echo '3c4d  waiting  nightly  A 2  2026-11-26T10:00:00Z' ;;
  'plugin list') echo 'NAME  VERSION  FOLDER, STAGES'; echo 'acme  1.0  /x  test'; echo; echo 'what is wrong with one: outpost plugin show NAME' ;;
  'alarm list --socket /s') cat "${0%/*}/alarms" ;;
  'resource list') echo 'no resources are configured' ;;
  *' list'*) ;;
  *) exec )" OUTPOST_COMMAND R"( "$@" ;;
esac
)";

/// Says what it was asked to bound.
constexpr const char* timeout = R"(#!/bin/sh
echo "$*" >>"${0%/*}/bounded"
shift
exec "$@"
)";

/// What they complete.
const std::string planted = "hook:$(touch \"$DIR/ran\")`touch \"$DIR/ran\"`";
const std::vector<std::string> alarms{"dci/stuck", "poll:dci", "poll:dlrn", "no-disk", "release:job nightly one", "hook:it's", planted};
const std::vector<std::pair<std::string, Words>> names{{"outpost job show", {"1a2b", "3c4d"}},
                                                       {"outpost job logs", {"1a2b", "3c4d"}},
                                                       {"outpost plugin show", {"acme"}},
                                                       {"outpost alarm ack", {}},
                                                       {"outpost alarm ack --socket /s", Words{alarms.begin(), alarms.end()}},
                                                       {"outpost resource lock", {}}};

struct Lister {
  Lister() {
    add("outpost", lister);
    add("timeout", timeout);
    std::string list;
    for (const auto& key : alarms) list += key + "  kind since 2026-11-26T10:00:00Z\n  an item does not get through\n";
    write_file(directory.path / "alarms", list);
    ::setenv("DIR", directory.path.c_str(), 1);
    ::setenv("PATH", (directory.path.native() + ":" + before).c_str(), 1);
  }
  Lister(const Lister&) = delete;
  Lister& operator=(const Lister&) = delete;
  ~Lister() {
    ::setenv("PATH", before.c_str(), 1);
    ::unsetenv("DIR");
  }

  void check(Shell& shell, const std::string& script, const std::vector<std::string>& options) const {
    std::vector<std::string> lines;
    for (const auto& [line, wanted] : names) lines.push_back(line);
    auto offered = shell.offers(script, options, lines, "\t");
    for (const auto& [line, wanted] : names) {
      INFO(line);
      Words found;
      for (const auto& word : offered[line])
        if (!word.starts_with("-")) found.insert(word);
      CHECK(found == wanted);
    }
    CHECK_FALSE(fs::exists(directory.path / "ran"));
    CHECK_THAT(read_file(directory.path / "bounded"), holds("2 outpost job list\n") && holds("2 outpost alarm list --socket /s\n"));
  }

  TemporaryDirectory directory;

 private:
  void add(const std::string& name, const char* text) const {
    write_file(directory.path / name, text);
    fs::permissions(directory.path / name, fs::perms::owner_all);
  }
  std::string before = std::getenv("PATH");
};

/// Completes the last word of each line.
const std::string in_bash = R"(. )" OUTPOST_SOURCE_DIR R"(/agent/cli/outpost.bash
complete_line() {  # LINE: as bash does it, which divides the words at colons
  COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
  local parts=${1//:/ : }
  read -ra COMP_WORDS <<<"$parts"
  [[ $1 != *[\ :] ]] || COMP_WORDS+=('')
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _outpost
}
)";

}  // namespace

TEST_CASE("bash offers every command and option", "[cli]") {
  Shell bash{"bash"};
  if (!bash.is_there()) return;
  bash.check(bash.offers(in_bash + R"(
outpost() { )" OUTPOST_COMMAND R"( "$@"; }
for path; do
  echo "= $path"
  for last in '' --; do
    complete_line "$path $last"
    printf '%s\n' "${COMPREPLY[@]}"
  done
done
)", {}));
}

TEST_CASE("zsh offers every command and option", "[cli]") {
  Shell zsh{"zsh"};
  if (!zsh.is_there()) return;
  // What compinit has, as far as it is used.
  zsh.check(zsh.offers(R"(compdef() { }
_describe() { [[ $1 == -o ]] && shift; print -l -- ${(P)2}; }
_files() { }
. <()" OUTPOST_COMMAND R"( completion zsh)
for path_given; do
  print "= $path_given"
  for PREFIX in '' --; do
    words=(${=path_given} "$PREFIX")
    CURRENT=$#words
    _outpost
  done
done
)", {"-f"}));
}

TEST_CASE("fish offers every command and option", "[cli]") {
  Shell fish{"fish"};
  if (!fish.is_there()) return;
  fish.check(fish.offers(OUTPOST_COMMAND R"( completion fish | source
for path in $argv
    echo "= $path"
    complete -C "$path "
    complete -C "$path --"
end
)", {"--no-config"}));
}

TEST_CASE("bash offers the jobs, plugins and alarms that there are", "[cli]") {
  Shell bash{"bash"};
  if (!bash.is_there()) return;
  Lister{}.check(bash, in_bash + R"(
for path; do
  echo "= $path"
  complete_line "$path "
  # As words of the shell they are the names.
  for word in "${COMPREPLY[@]}"; do eval "printf '%s\n' $word"; done
done
)", {});
}

TEST_CASE("bash goes on behind what is typed, though it has divided it at colons", "[cli]") {
  Shell bash{"bash"};
  if (!bash.is_there()) return;
  const Lister programs;
  const std::string ack = "outpost alarm ack --socket /s ";
  const std::vector<std::pair<std::string, Words>> wanted{{ack + "poll:d", {"dci", "dlrn"}},
                                                          {ack + "po", {"poll:dci", "poll:dlrn"}},
                                                          {ack + "dci", {"dci/stuck"}},
                                                          {ack + "release:", {R"(job\ nightly\ one)"}},
                                                          {ack + R"(release:job\ n)", {R"(job\ nightly\ one)"}},
                                                          {ack + R"(hook:it)", {R"(it\'s)"}},
                                                          {ack + "x", {}}};
  std::vector<std::string> lines;
  for (const auto& [line, words] : wanted) lines.push_back(line);
  auto offered = bash.offers(in_bash + R"(
for line; do
  echo "= $line"
  complete_line "$line"
  (( ! ${#COMPREPLY[@]} )) || printf '%s\n' "${COMPREPLY[@]}"
done
)", {}, lines, "\t");
  for (const auto& [line, words] : wanted) {
    INFO(line);
    CHECK(offered[line] == words);
  }
}

TEST_CASE("zsh offers the jobs, plugins and alarms that there are", "[cli]") {
  Shell zsh{"zsh"};
  if (!zsh.is_there()) return;
  Lister{}.check(zsh, R"(compdef() { }
_describe() { }
_files() { }
compadd() { print -rl -- ${(P)2}; }
. <(outpost completion zsh)
for path_given; do
  print "= $path_given"
  PREFIX=
  words=(${=path_given} '')
  CURRENT=$#words
  _outpost
done
)", {"-f"});
}

TEST_CASE("fish offers the jobs, plugins and alarms that there are", "[cli]") {
  Shell fish{"fish"};
  if (!fish.is_there()) return;
  // Offered as they would be typed.
  Lister{}.check(fish, R"(outpost completion fish | source
for path in $argv
    echo "= $path"
    complete -C "$path "
end
)", {"--no-config"});
}
