#include "plugins/hooks/helper/arguments.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"

#include <algorithm>
#include <cctype>
#include <limits>

namespace outpost::hook {
namespace {

Error wrong(const Verb& verb, const std::string& what) {
  return {Fault::malformed, std::string{verb.name} + ": " + what + "; see outpost-hook help " + std::string{verb.name}};
}

const Option* option_of(const Verb& verb, std::string_view name) {
  const auto found = std::find_if(verb.options.begin(), verb.options.end(), [&](const auto& option) { return option.name == name; });
  return found == verb.options.end() ? nullptr : &*found;
}

Error unknown_option(const Verb& verb, std::string_view name) {
  std::vector<std::string> names;
  for (const auto& option : verb.options) names.emplace_back(option.name);
  const auto meant = nearest(name, names);
  return wrong(verb, "unknown option \"" + printable(name, 80) + "\"" + (meant ? " (did you mean \"" + *meant + "\"?)" : ""));
}

/// "outpost-hook var set NAME VALUE", a line for each form.
std::string usage_lines(const Verb& verb, std::string_view first, std::string_view next) {
  std::string lines;
  for (const auto& form : split(verb.usage, '\n')) {
    lines += std::string{lines.empty() ? first : next} + "outpost-hook " + std::string{verb.name};
    if (verb.name == "exec") lines += " [OPTION...]";
    if (!form.empty()) lines += " " + form;
    if (verb.name != "exec" && !verb.options.empty()) lines += " [OPTION...]";
    lines += "\n";
  }
  return lines;
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size() + 2, width), ' ');
  return text;
}

}  // namespace

bool Arguments::has(std::string_view option) const { return value(option).has_value(); }

std::optional<std::string> Arguments::value(std::string_view option) const {
  for (const auto& [name, given] : options)
    if (name == option) return given;
  return std::nullopt;
}

std::vector<std::string> Arguments::values(std::string_view option) const {
  std::vector<std::string> all;
  for (const auto& [name, given] : options)
    if (name == option) all.push_back(given);
  return all;
}

std::string Arguments::text(std::size_t first) const {
  return first >= words.size() ? "" : join(std::span{words}.subspan(first), " ");
}

Result<Arguments> parse_arguments(const Verb& verb, std::span<char* const> given) {
  Arguments arguments{.verb = &verb, .words = {}, .options = {}};
  bool only_words = false;
  for (std::size_t index = 0; index < given.size(); ++index) {
    const std::string_view word = given[index];
    if (only_words || !word.starts_with("--")) {
      arguments.words.emplace_back(word);
      continue;
    }
    if (word == "--") {
      only_words = true;
      continue;
    }
    const auto equals = word.find('=');
    const auto name = word.substr(0, equals);
    const Option* option = option_of(verb, name);
    if (!option) return unknown_option(verb, name);
    if (option->value.empty() && equals != word.npos) return wrong(verb, std::string{name} + " takes no value");
    if (!option->repeated && arguments.has(option->name)) return wrong(verb, std::string{name} + " is given twice");
    std::string value;
    if (equals != word.npos) value = word.substr(equals + 1);
    else if (!option->value.empty() && index + 1 == given.size()) return wrong(verb, std::string{name} + " needs a value: " + std::string{option->value});
    else if (!option->value.empty()) value = given[++index];
    arguments.options.emplace_back(option->name, std::move(value));
  }
  const std::size_t most = verb.most == 0 && verb.least == 0 && verb.usage.empty() ? 0 : verb.most == 0 ? std::numeric_limits<std::size_t>::max() : verb.most;
  if (arguments.words.size() < verb.least) return wrong(verb, "something is missing: outpost-hook " + std::string{verb.name} + " " + replace_all(std::string{verb.usage}, "\n", " | "));
  if (arguments.words.size() > most) return wrong(verb, "\"" + printable(arguments.words[most], 80) + "\" is too much; a text with blanks goes between quotes");
  return arguments;
}

Result<std::chrono::milliseconds> parse_time(const std::string& text) {
  const bool is_number = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) || c == '.'; });
  return parse_duration(is_number ? text + "s" : text);
}

std::string help_of(const Verb& verb) {
  std::string text = usage_lines(verb, "usage: ", "       ") + "\n" + std::string{verb.details} + "\n";
  if (!verb.options.empty()) text += "\n";
  for (const auto& option : verb.options)
    text += "  " + padded(std::string{option.name} + (option.value.empty() ? "" : " " + std::string{option.value}), 22) + std::string{option.text} + "\n";
  return text;
}

std::string help() {
  std::string text = "usage: outpost-hook VERB [ARGUMENT...]\n\nTells the agent what a hook does, and asks it for things.\n\n";
  for (const auto& verb : all_verbs()) text += "  " + padded(std::string{verb.name}, 12) + std::string{verb.summary} + "\n";
  return text + "\n\"outpost-hook help VERB\" says more, and outpost-hook(1) everything.\n";
}

}  // namespace outpost::hook
