// outpost-hook: what a hook calls to tell the agent something, and to ask it for things. It is linked statically, because
// it has to start faster than a hook can notice.

#include "agent/base/text.hpp"
#include "plugins/hooks/helper/helper.hpp"

#include <cstdio>
#include <exception>

using namespace outpost::hook;

namespace {

int unknown_verb(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& verb : all_verbs()) names.emplace_back(verb.name);
  const auto meant = outpost::nearest(name, names);
  return complain(usage, "there is no verb \"" + outpost::printable(name, 80) + "\"" + (meant ? " (did you mean \"" + *meant + "\"?)" : "") +
                             "; see outpost-hook help");
}

int show_help(const std::string& name) {
  const Verb* verb = find_verb(name);
  if (!name.empty() && !verb) return unknown_verb(name);
  std::fputs((verb ? help_of(*verb) : help()).c_str(), stdout);
  return ok;
}

int run(std::span<char* const> words) {
  if (words.empty()) return std::fputs(help().c_str(), stderr), usage;
  const std::string name = words[0];
  if (name == "--version") return std::printf("outpost-hook %s\n", OUTPOST_VERSION), ok;
  if (name == "help" || name == "--help" || name == "-h") return show_help(words.size() > 1 ? words[1] : "");
  const Verb* verb = find_verb(name);
  if (!verb) return unknown_verb(name);
  if (words.size() > 1 && std::string_view{words[1]} == "--help") return show_help(name);
  const auto arguments = parse_arguments(*verb, words.subspan(1));
  if (!arguments) return complain(usage, arguments.error().message);
  return Helper{}.run(*arguments);
}

}  // namespace

int main(int count, char** words) {
  try {
    return run({words + 1, words + count});
  } catch (const std::exception& failure) {
    return complain(broken, failure.what());
  }
}
