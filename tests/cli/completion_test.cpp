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
    write_file(directory_.path / "script", script);
    std::vector<std::string> command{program_};
    command.insert(command.end(), options.begin(), options.end());
    command.push_back((directory_.path / "script").string());
    for (const auto& entry : table_) command.push_back(entry.path);
    Process process{std::move(command), directory_.path / "out"};
    const int status = process.wait();
    const std::string said = read_file(directory_.path / "out");
    INFO(said);
    CHECK(status == 0);
    std::map<std::string, Words> words;
    std::string path;
    for (const auto& line : split(said, '\n'))
      if (line.starts_with("= ")) path = line.substr(2);
      else if (!line.empty()) words[path].insert(line.substr(0, line.find_first_of("\t:")));
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

/// A program that lists jobs as outpost does, whatever else it is asked.
constexpr const char* lister = R"(outpost() {
  case "$*" in
    'job list') echo '1a2b  success  nightly  A 1  2026-11-26T10:00:00Z'; echo '3c4d  waiting  nightly  A 2  2026-11-26T10:00:00Z' ;;
    'plugin list') echo 'NAME  VERSION  FOLDER, STAGES'; echo 'acme  1.0  /x  test'; echo; echo 'what is wrong with one: outpost plugin show NAME' ;;
    'alarm list') echo 'dci/stuck  stuck since 2026-11-26T10:00:00Z'; echo '  an item does not get through' ;;
    'resource list') echo 'no resources are configured' ;;
    *) )" OUTPOST_COMMAND R"( "$@" ;;
  esac
}
)";

/// What they complete.
const std::vector<std::pair<std::string, Words>> names{{"outpost job show", {"1a2b", "3c4d"}}, {"outpost job logs", {"1a2b", "3c4d"}}, {"outpost plugin show", {"acme"}}, {"outpost alarm ack", {"dci/stuck"}}, {"outpost resource lock", {}}};

void check_names(std::map<std::string, Words> offered) {
  for (const auto& [path, wanted] : names) {
    INFO(path);
    Words found;
    for (const auto& word : offered[path])
      if (!word.starts_with("-")) found.insert(word);
    CHECK(found == wanted);
  }
}

}  // namespace

TEST_CASE("bash offers every command and option", "[cli]") {
  Shell bash{"bash"};
  if (!bash.is_there()) return;
  bash.check(bash.offers(R"(. )" OUTPOST_SOURCE_DIR R"(/agent/cli/outpost.bash
outpost() { )" OUTPOST_COMMAND R"( "$@"; }
for path; do
  echo "= $path"
  read -ra COMP_WORDS <<<"$path"
  COMP_CWORD=${#COMP_WORDS[@]}
  for last in '' --; do
    COMP_WORDS[COMP_CWORD]=$last
    _outpost
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
  check_names(bash.offers(std::string{lister} + R"(. )" OUTPOST_SOURCE_DIR R"(/agent/cli/outpost.bash
for path; do
  echo "= $path"
  read -ra COMP_WORDS <<<"$path "
  COMP_CWORD=${#COMP_WORDS[@]}
  COMP_WORDS[COMP_CWORD]=
  _outpost
  printf '%s\n' "${COMPREPLY[@]}"
done
)", {}));
}

TEST_CASE("zsh offers the jobs, plugins and alarms that there are", "[cli]") {
  Shell zsh{"zsh"};
  if (!zsh.is_there()) return;
  check_names(zsh.offers(std::string{lister} + R"(compdef() { }
_describe() { }
_files() { }
compadd() { print -l -- ${(P)2}; }
. <(outpost completion zsh)
for path_given; do
  print "= $path_given"
  PREFIX=
  words=(${=path_given} '')
  CURRENT=$#words
  _outpost
done
)", {"-f"}));
}

TEST_CASE("fish offers the jobs, plugins and alarms that there are", "[cli]") {
  Shell fish{"fish"};
  if (!fish.is_there()) return;
  check_names(fish.offers(R"(function outpost
    switch "$argv"
        case 'job list'
            printf '%s\n' '1a2b  success  nightly  A 1  2026-11-26T10:00:00Z' '3c4d  waiting  nightly  A 2'
        case 'plugin list'
            printf '%s\n' 'NAME  VERSION  FOLDER, STAGES' 'acme  1.0  /x  test' '' 'what is wrong with one: outpost plugin show NAME'
        case 'alarm list'
            printf '%s\n' 'dci/stuck  stuck since 2026-11-26T10:00:00Z' '  an item does not get through'
        case 'resource list'
            echo 'no resources are configured'
    end
end
)" OUTPOST_COMMAND R"( completion fish | source
for path in $argv
    echo "= $path"
    complete -C "$path "
end
)", {"--no-config"}));
}
