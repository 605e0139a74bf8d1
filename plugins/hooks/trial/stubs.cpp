#include "plugins/hooks/trial/stubs.hpp"

#include "agent/base/text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

namespace outpost::hooks {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

using Words = std::vector<std::string>;

constexpr std::string_view any_number = "**";

/// Whether the words from `word` on fit the patterns from `pattern` on.
bool fit(const Words& words, std::size_t word, const Words& patterns, std::size_t pattern) {
  for (; pattern < patterns.size(); ++pattern, ++word) {
    if (patterns[pattern] == any_number) {
      for (std::size_t rest = word; rest <= words.size(); ++rest)
        if (fit(words, rest, patterns, pattern + 1)) return true;
      return false;
    }
    if (word >= words.size() || !matches_glob(words[word], patterns[pattern])) return false;
  }
  return word == words.size();
}

bool input_fits(const StubRule& rule, std::string_view input) {
  if (!rule.input) return true;
  while (input.ends_with('\n')) input.remove_suffix(1);
  return matches_glob(input, *rule.input);
}

std::vector<unsigned> uses_of(const StubSet& stubs, const std::string& stub, const std::vector<StubCall>& calls) {
  std::vector<unsigned> uses(stubs.rules.at(stub).size());
  for (const auto& call : calls)
    if (call.stub == stub && call.rule && *call.rule < uses.size()) ++uses[*call.rule];
  return uses;
}

/// How many of the first words of a call a rule agrees with, for the nearest one.
std::size_t likeness(const Words& words, const StubRule& rule) {
  if (!rule.arguments) return words.size();
  std::size_t same = 0;
  for (const auto& pattern : *rule.arguments)
    same += static_cast<std::size_t>(
        std::any_of(words.begin(), words.end(), [&](const auto& word) { return matches_glob(word, pattern); }));
  return same;
}

std::string times_of(const StubRule& rule) {
  const auto times = [](unsigned number) {
    return number == 1 ? std::string{"once"} : std::to_string(number) + " times";
  };
  if (!rule.most) return "at least " + times(rule.least);
  if (*rule.most == 0) return "never";
  return *rule.most == rule.least ? times(rule.least)
                                  : std::to_string(rule.least) + " to " + std::to_string(*rule.most) + " times";
}

std::string shown_rule(const std::string& stub, const StubRule& rule) {
  std::string text = rule.arguments ? shown_call(stub, *rule.arguments) : stub + " ...";
  if (rule.input) text += " with the input " + printable(*rule.input, 200);
  return text;
}

/// Under the first word of `called` that is not what `expected` has in its place.
std::string mark_difference(const std::string& stub, const Words& called, const Words& expected) {
  std::size_t column = printable(stub).size() + 1;
  for (std::size_t index = 0; index < called.size(); ++index) {
    const std::string word = shown_call("", {called[index]}).substr(1);
    if (index >= expected.size() || !matches_glob(called[index], expected[index]))
      return std::string(column, ' ') + std::string(std::max<std::size_t>(1, word.size()), '^');
    column += word.size() + 1;
  }
  return called.size() < expected.size() ? std::string(column, ' ') + "^ here it ends" : "";
}

Words words_of(const json::value& list) {
  Words words;
  for (const auto& word : list.as_array()) words.emplace_back(word.as_string());
  return words;
}

json::array array_of(const Words& words) { return json::array(words.begin(), words.end()); }

std::string text_of(const json::object& object, std::string_view key) {
  return std::string{object.at(key).as_string()};
}

Result<std::string> content_of(const fs::path& file) {
  std::ifstream stream{file, std::ios::binary};
  if (!stream) return errno_error("cannot read", file.native(), errno);
  return std::string{std::istreambuf_iterator<char>{stream}, {}};
}

}  // namespace

json::object to_json(const StubSet& stubs) {
  json::object commands;
  for (const auto& [name, rules] : stubs.rules) {
    json::array list;
    for (const auto& rule : rules) {
      json::object one{{"place", rule.place},   {"output", rule.output},
                       {"errors", rule.errors}, {"program", rule.program.native()},
                       {"exit", rule.exit},     {"delay_ms", rule.delay.count()},
                       {"least", rule.least}};
      if (rule.arguments) one["arguments"] = array_of(*rule.arguments);
      if (rule.input) one["input"] = *rule.input;
      if (rule.most) one["most"] = *rule.most;
      list.push_back(std::move(one));
    }
    commands[name] = std::move(list);
  }
  return {{"ordered", stubs.ordered}, {"stubs", std::move(commands)}};
}

Result<StubSet> stub_set_from_json(const json::value& value) {
  try {
    StubSet stubs{.ordered = value.as_object().at("ordered").as_bool()};
    for (const auto& command : value.as_object().at("stubs").as_object()) {
      auto& rules = stubs.rules[std::string{command.key()}];
      for (const auto& each : command.value().as_array()) {
        const auto& one = each.as_object();
        StubRule rule{.place = text_of(one, "place"),
                      .output = text_of(one, "output"),
                      .errors = text_of(one, "errors"),
                      .program = text_of(one, "program")};
        rule.exit = one.at("exit").to_number<int>();
        rule.delay = std::chrono::milliseconds{one.at("delay_ms").to_number<std::int64_t>()};
        rule.least = one.at("least").to_number<unsigned>();
        if (const auto* most = one.if_contains("most")) rule.most = most->to_number<unsigned>();
        if (one.contains("arguments")) rule.arguments = words_of(one.at("arguments"));
        if (one.contains("input")) rule.input = text_of(one, "input");
        rules.push_back(std::move(rule));
      }
    }
    return stubs;
  } catch (const std::exception& error) {
    return Error{Fault::malformed, std::string{"the rules of the stubs cannot be read: "} + error.what()};
  }
}

json::object to_json(const StubCall& call) {
  json::object object{
      {"stub", call.stub}, {"arguments", array_of(call.arguments)}, {"input", call.input}, {"point", call.point}};
  if (call.rule) object["rule"] = *call.rule;
  return object;
}

Result<void> StubDirectory::create(const StubSet& stubs, const fs::path& program) const {
  std::error_code error;
  fs::create_directories(commands(), error);
  if (error) return errno_error("cannot create", commands().native(), error.value());
  for (const auto& [name, rules] : stubs.rules) {
    fs::create_symlink(program, commands() / name, error);
    if (error) return errno_error("cannot create", (commands() / name).native(), error.value());
  }
  std::ofstream file{rules()};
  file << json::serialize(to_json(stubs)) << std::flush;
  if (!file || !std::ofstream{calls()}) return Error{Fault::retry_later, "cannot write " + rules().string()};
  return {};
}

Result<StubSet> StubDirectory::read_rules() const {
  const auto text = content_of(rules());
  if (!text) return text.error();
  boost::system::error_code error;
  const auto value = json::parse(*text, error);
  if (error) return Error{Fault::malformed, rules().string() + " is not JSON"};
  return stub_set_from_json(value);
}

Result<std::vector<StubCall>> StubDirectory::read_calls() const {
  const auto text = content_of(calls());
  if (!text) return text.error();
  std::vector<StubCall> all;
  for (const auto& line : split(*text, '\n')) {
    boost::system::error_code error;
    const auto value = json::parse(line, error);
    if (error || !value.is_object()) continue;
    const auto& object = value.get_object();
    StubCall call{text_of(object, "stub"),
                  words_of(object.at("arguments")),
                  text_of(object, "input"),
                  text_of(object, "point"),
                  {}};
    if (const auto* rule = object.if_contains("rule")) call.rule = rule->to_number<std::size_t>();
    all.push_back(std::move(call));
  }
  return all;
}

std::optional<std::size_t> fitting_rule(const StubSet& stubs, const StubCall& call,
                                        const std::vector<StubCall>& before) {
  const auto found = stubs.rules.find(call.stub);
  if (found == stubs.rules.end()) return std::nullopt;
  const auto uses = uses_of(stubs, call.stub, before);
  std::size_t furthest = 0;
  for (std::size_t index = 0; index < uses.size(); ++index)
    if (uses[index] > 0) furthest = index;
  for (std::size_t index = stubs.ordered ? furthest : 0; index < found->second.size(); ++index) {
    const auto& rule = found->second[index];
    const bool free = !rule.most || uses[index] < *rule.most;
    if (free && (!rule.arguments || fit(call.arguments, 0, *rule.arguments, 0)) && input_fits(rule, call.input))
      return index;
    if (stubs.ordered && uses[index] < rule.least) return std::nullopt;  // Its turn, and it was another call.
  }
  return std::nullopt;
}

std::string explain_stray(const StubSet& stubs, const StubCall& call, const std::vector<StubCall>& before) {
  std::string text = "nobody expected this call of the stub " + printable(call.stub) + "\n  called   " +
                     shown_call(call.stub, call.arguments) + "\n";
  const auto found = stubs.rules.find(call.stub);
  if (found == stubs.rules.end() || found->second.empty()) return text + "  no call of it is expected\n";
  const auto& rules = found->second;
  const auto nearest_rule = std::max_element(rules.begin(), rules.end(), [&](const auto& left, const auto& right) {
    return likeness(call.arguments, left) < likeness(call.arguments, right);
  });
  const auto index = static_cast<std::size_t>(nearest_rule - rules.begin());
  text += "  nearest  " + shown_rule(call.stub, *nearest_rule) + "  (" + nearest_rule->place + ")\n";
  const bool arguments_fit = !nearest_rule->arguments || fit(call.arguments, 0, *nearest_rule->arguments, 0);
  if (!arguments_fit) {
    const auto mark = mark_difference(call.stub, call.arguments, *nearest_rule->arguments);
    return text + (mark.empty() ? "" : "           " + mark + "\n");
  }
  if (!input_fits(*nearest_rule, call.input)) return text + "  its input was " + printable(call.input, 200) + "\n";
  const auto uses = uses_of(stubs, call.stub, before)[index];
  if (nearest_rule->most && uses >= *nearest_rule->most)
    return text + "  that one is expected " + times_of(*nearest_rule) + ", and has come " + std::to_string(uses) +
           " times\n";
  return text + "  that one comes later: the calls are ordered\n";
}

std::vector<std::string> missing_calls(const StubSet& stubs, const std::vector<StubCall>& calls) {
  std::vector<std::string> missing;
  for (const auto& [name, rules] : stubs.rules) {
    const auto uses = uses_of(stubs, name, calls);
    for (std::size_t index = 0; index < rules.size(); ++index)
      if (uses[index] < rules[index].least)
        missing.push_back(shown_rule(name, rules[index]) + ": expected " + times_of(rules[index]) + ", came " +
                          std::to_string(uses[index]) + " times (" + rules[index].place + ")");
  }
  return missing;
}

std::string shown_call(const std::string& command, const Words& arguments) {
  std::string text = printable(command);
  for (const auto& argument : arguments) {
    const bool plain = !argument.empty() && argument.find_first_of(" \t\n'\"\\$`&|;<>()*?[]{}#~") == std::string::npos;
    text += " " + (plain ? printable(argument) : "'" + printable(replace_all(argument, "'", "'\\''")) + "'");
  }
  return text;
}

}  // namespace outpost::hooks
