#include "plugins/hooks/trial/expectation_reader.hpp"

#include "agent/base/text.hpp"
#include "agent/config/small_file.hpp"
#include "plugins/hooks/regular_expression.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <tuple>

namespace outpost::hooks {

using namespace std::chrono_literals;
using config::Fields;
using config::Node;
using config::quote;
using config::Reading;

namespace {

const std::vector<std::string> outcomes{"pass", "fail", "error", "skip"};

/// One of a few words.
std::optional<std::string> as_word(Reading& reading, const Node& node, std::string_view label,
                                   const std::vector<std::string>& words) {
  const auto text = config::as_text(reading, node, label);
  if (!text || std::find(words.begin(), words.end(), *text) != words.end()) return text;
  const auto advice = config::suggestion(*text, words);
  reading.problem(node.origin, label, quote(*text) + " is not one of " + join(words, ", ") + advice);
  return std::nullopt;
}

class ExpectationReader {
 public:
  ExpectationReader(Reading& reading, Fields& fields) : reading_{reading}, fields_{fields} {}

  Expectation read() {
    if (const Node* node = take("exit"))
      if (const auto exit = config::as_integer(reading_, *node, fields_.label_of("exit"), 0, 255))
        expect_.exit = static_cast<int>(*exit);
    if (const Node* node = take("verdict"))
      if (const auto word =
              as_word(reading_, *node, fields_.label_of("verdict"), {"success", "failure", "error", "killed"}))
        expect_.verdict = job::parse_verdict(*word);
    if (const Node* node = take("reason"))
      if (const auto text = config::as_text(reading_, *node, fields_.label_of("reason"))) expect_.reason = *text;
    if (const Node* node = take_list("stdout"))
      read_checks(*node, fields_.label_of("stdout"), TextCheck::Kind::contains, expect_.output);
    read_results();
    if (const Node* node = take_list("artifacts")) {
      static_cast<void>(config::items_of(reading_, *node, fields_.label_of("artifacts"), "[\"logs/*.log\"]"));
      expect_.artifacts = config::as_texts(reading_, *node, fields_.label_of("artifacts"));
    }
    if (const Node* node = take_list("files")) read_files(*node, fields_.label_of("files"));
    if (const Node* node = take("leftover_processes"))
      if (const auto count = config::as_integer(reading_, *node, fields_.label_of("leftover_processes"), 0, 1'000'000))
        expect_.leftovers = static_cast<unsigned>(*count);
    if (const Node* node = take("duration")) read_duration(*node);
    if (const Node* node = take_list("calls")) read_calls(*node, fields_.label_of("calls"));
    if (const Node* node = take("released"))
      if (const auto flag = config::as_boolean(reading_, *node, fields_.label_of("released"))) expect_.released = *flag;
    fields_.finish();
    return std::move(expect_);
  }

 private:
  const Node* note(const std::string& key, const Node* node) {
    if (node != nullptr) expect_.origins[key] = node->origin;
    return node;
  }
  const Node* take(const std::string& key) { return note(key, fields_.take(key)); }
  const Node* take_list(const std::string& key) { return note(key, fields_.take_list(key)); }

  /// "text", {contains: text, not: [a, b]}, or a list of these. `plain` is what a text alone means.
  void read_checks(const Node& node, const std::string& label, TextCheck::Kind plain, std::vector<TextCheck>& into) {
    if (node.kind == Node::Kind::list) {
      for (const auto& item : node.items) read_checks(item, label, plain, into);
    } else if (node.kind == Node::Kind::map) {
      static const std::map<std::string, TextCheck::Kind> kinds{{"is", TextCheck::Kind::is},
                                                                {"content", TextCheck::Kind::is},
                                                                {"contains", TextCheck::Kind::contains},
                                                                {"not", TextCheck::Kind::lacks},
                                                                {"matches", TextCheck::Kind::matches}};
      for (const auto& item : node.items) {
        const auto kind = kinds.find(item.key);
        if (kind != kinds.end()) {
          read_checks(item, label + "." + item.key, kind->second, into);
          continue;
        }
        const auto advice = config::suggestion(item.key, {"is", "contains", "not", "matches"});
        reading_.problems.list.push_back({item.origin,
                                          label + ": unknown key " + quote(item.key) +
                                              (advice.empty() ? " (known keys: is, contains, not, matches)" : advice),
                                          config::ProblemKind::unknown_key});
      }
    } else if (const auto text = as_content(reading_, node, label)) {
      into.push_back({plain, *text, node.origin});
      check_pattern(into.back(), label);
    }
  }

  void check_pattern(const TextCheck& check, const std::string& label) {
    if (check.kind != TextCheck::Kind::matches) return;
    if (const auto compiled = RegularExpression::compile(check.text); !compiled)
      reading_.problem(check.where, label, quote(check.text) + " is not a regular expression: " + compiled.error().message);
  }

  void read_results() {
    const Node* node = take_list("results");
    if (node == nullptr) return;
    const std::string label = fields_.label_of("results");
    expect_.results.emplace();
    for (const auto& item : config::items_of(reading_, *node, label, "[{name: csi-ready, outcome: pass}]")) {
      if (item.kind != Node::Kind::map) {
        config::wrong_kind(reading_, item, label, "a mapping (example: {name: csi-ready, outcome: pass})");
        continue;
      }
      std::vector<config::KnownKey> known;
      Fields entry{reading_, known, item, label, {}};
      ResultExpectation result{.where = item.origin};
      entry.read("name", result.name, config::as_text);
      if (result.name.empty()) entry.missing("name", "example: {name: csi-ready, outcome: pass}");
      if (const Node* outcome = entry.take("outcome"))
        if (const auto word = as_word(reading_, *outcome, entry.label_of("outcome"), outcomes)) result.outcome = *word;
      entry.finish();
      expect_.results->push_back(std::move(result));
    }
  }

  void read_files(const Node& node, const std::string& label) {
    if (node.kind != Node::Kind::map)
      return config::wrong_kind(reading_, node, label, "a mapping (example: {\"$OUTPOST_STATE/installed\": exists})");
    for (const auto& item : node.items) {
      FileExpectation file{.path = item.key, .where = item.origin};
      const std::string place = label + "." + printable(item.key, 80);
      if (item.kind == Node::Kind::map) {
        read_checks(item, place, TextCheck::Kind::is, file.content);
      } else if (const auto word = as_word(reading_, item, place, {"exists", "absent"})) {
        file.exists = *word == "exists";
      }
      expect_.files.push_back(std::move(file));
    }
  }

  void read_duration(const Node& node) {
    const std::string label = fields_.label_of("duration");
    const auto text = config::as_text(reading_, node, label);
    if (!text) return;
    if (!text->starts_with('<') && !text->starts_with('>'))
      return reading_.problem(node.origin, label, quote(*text) + " is no bound (example: \"<5s\")");
    Node bound = node;
    bound.text = trim(text->substr(1));
    bound.quoted = false;
    const auto duration = config::as_duration(reading_, bound, label, 0s, 30 * 24h);
    if (duration) (text->front() == '<' ? expect_.less_than : expect_.more_than) = *duration;
  }

  void read_calls(const Node& node, const std::string& label) {
    if (node.kind != Node::Kind::map) return config::wrong_kind(reading_, node, label, "a mapping (example: {oc: 3})");
    for (const auto& item : node.items)
      if (const auto count = config::as_integer(reading_, item, label + "." + printable(item.key, 80), 0, 1'000'000))
        expect_.calls[item.key] = static_cast<unsigned>(*count);
  }

  Reading& reading_;
  Fields& fields_;
  Expectation expect_;
};

/// "2", "2+", "1-3".
bool read_times(const std::string& text, StubRule& rule) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, rule.least);
  if (error != std::errc{}) return false;
  if (stop == end) {
    rule.most = rule.least;
    return true;
  }
  if (std::string_view(stop, end) == "+") return true;
  unsigned most = 0;
  const auto [last, problem] = std::from_chars(stop + 1, end, most);
  if (*stop != '-' || problem != std::errc{} || last != end || most < rule.least) return false;
  rule.most = most;
  return true;
}

/// A file beside the case.
std::optional<std::filesystem::path> as_own_file(Reading& reading, const Node& node, const std::string& label) {
  const auto text = config::as_text(reading, node, label);
  if (!text) return std::nullopt;
  const auto path = (reading.directory / *text).lexically_normal();
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) return path;
  reading.problem(node.origin, label,
                  quote(*text) + " is no file in " + printable(reading.directory.filename().native(), 80));
  return std::nullopt;
}

StubRule read_rule(Reading& reading, Fields rule_fields, std::string place) {
  StubRule rule{.place = std::move(place)};
  if (const Node* node = rule_fields.take_list("args")) {
    const std::string label = rule_fields.label_of("args");
    // A text is split at its blanks; who needs blanks in an argument writes a list.
    if (node->kind == Node::Kind::list)
      rule.arguments = config::as_texts(reading, *node, label);
    else if (const auto text = config::as_text(reading, *node, label)) {
      rule.arguments.emplace();
      for (auto& word : split(*text, ' '))
        if (!word.empty()) rule.arguments->push_back(std::move(word));
    }
  }
  if (const Node* node = rule_fields.take("stdin"))
    if (const auto text = as_content(reading, *node, rule_fields.label_of("stdin"))) rule.input = *text;
  rule_fields.read("stdout", rule.output, as_content);
  rule_fields.read("stderr", rule.errors, as_content);
  if (const Node* node = rule_fields.take("stdout_file"))
    if (const auto file = as_own_file(reading, *node, rule_fields.label_of("stdout_file"))) {
      const auto content = config::read_small_file(*file, std::size_t{16} << 20);
      if (content)
        rule.output = *content;
      else
        rule_fields.problem("stdout_file", content.error().message);
    }
  if (const Node* node = rule_fields.take("program"))
    if (const auto file = as_own_file(reading, *node, rule_fields.label_of("program"))) {
      rule.program = *file;
      if (::access(file->c_str(), X_OK) != 0)
        rule_fields.problem("program", quote(file->filename().native()) + " cannot be run (chmod +x)");
    }
  if (const Node* node = rule_fields.take("exit"))
    if (const auto exit = config::as_integer(reading, *node, rule_fields.label_of("exit"), 0, 255))
      rule.exit = static_cast<int>(*exit);
  rule_fields.read("delay", rule.delay, config::as_duration, 0s, 24h);
  if (const Node* node = rule_fields.take("times"))
    if (const auto text = config::as_text(reading, *node, rule_fields.label_of("times"));
        text && !read_times(*text, rule))
      rule_fields.problem("times", quote(*text) + " is no number of times (examples: 2, \"1+\", \"0-3\")");
  const auto both = [&](const char* one, const char* other) {
    return rule_fields.node().find(one) && rule_fields.node().find(other);
  };
  if (both("stdout", "stdout_file")) rule_fields.problem("stdout_file", "stdout is there too; keep one");
  for (const char* key : {"stdout", "stdout_file", "stderr", "exit"})
    if (both("program", key)) rule_fields.problem(key, "program answers already; keep one");
  rule_fields.finish();
  return rule;
}

}  // namespace

std::optional<std::string> as_content(Reading& reading, const Node& node, std::string_view label) {
  if (node.kind == Node::Kind::scalar) return node.text;
  config::wrong_kind(reading, node, label, "text");
  return std::nullopt;
}

Expectation read_expectation(Reading& reading, Fields fields) { return ExpectationReader{reading, fields}.read(); }

StubSet read_stubs(Reading& reading, const Node& node, std::vector<config::KnownKey>& known, const std::string& shown) {
  StubSet stubs;
  if (node.kind != Node::Kind::map) {
    config::wrong_kind(reading, node, "stubs", "a mapping (example: {oc: [{args: [get, nodes], stdout: ok}]})");
    return stubs;
  }
  for (const auto& command : node.items) {
    const std::string label = "stubs." + printable(command.key, 80);
    if (command.key.empty() || command.key.find('/') != std::string::npos || command.key.starts_with('.')) {
      reading.problem(command.origin, label, quote(command.key) + " is not the name of a command (no path)");
      continue;
    }
    auto& rules = stubs.rules[command.key];
    for (const auto& item : config::items_of(reading, command, label, "[{args: [get, nodes], stdout: ok}]")) {
      const std::string place = label + "[" + std::to_string(rules.size()) + "]";
      config::Origin where = item.origin;
      where.file = shown;
      rules.push_back(
          read_rule(reading, {reading, known, item, place, {"stubs", command.key}}, place + ", " + where.text()));
    }
  }
  return stubs;
}

}  // namespace outpost::hooks
