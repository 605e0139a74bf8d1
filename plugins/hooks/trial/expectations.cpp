#include "plugins/hooks/trial/expectations.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "plugins/hooks/regular_expression.hpp"

#include <algorithm>

namespace outpost::hooks {
namespace {

using Kind = InjectedFault::Kind;

std::string indented(const std::string& text, const std::string& prefix) {
  std::string result;
  for (const auto& line : split(text, '\n')) result += (result.empty() ? "" : "\n") + prefix + line;
  return result;
}

/// The end of an output, as people look at it.
std::string tail_of(const std::string& output) {
  constexpr std::size_t shown_lines = 15;
  std::string_view text = output;
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty()) return "output    none";
  auto lines = split(text, '\n');
  const bool cut = lines.size() > shown_lines;
  if (cut) lines.erase(lines.begin(), lines.end() - shown_lines);
  std::string result = cut ? "output    (the last " + std::to_string(shown_lines) + " lines)" : "output";
  for (const auto& line : lines) result += "\n  | " + printable(line, 300);
  return result;
}

using Match = RegularExpression::Match;

constexpr std::uint64_t most_steps_of_all_lines = 8 * most_steps;

/// Line by line. What cannot be compared in bounded work is undecided, unless another line matches.
Match matches(const std::string& text, const std::string& pattern) {
  const auto expression = RegularExpression::compile(pattern);
  if (!expression) return Match::no;
  Match found = Match::no;
  std::uint64_t left = most_steps_of_all_lines;
  for (const auto& line : split(text, '\n')) {
    const auto most = std::min(most_steps, left);
    auto steps = most;
    const auto match = expression->search(line, steps);
    left -= most - steps;
    if (match == Match::yes) return match;
    if (match == Match::undecided) found = match;
    if (left == 0) return Match::undecided;
  }
  return found;
}

Match holds(const TextCheck& check, const std::string& text) {
  const auto known = [](bool holds) { return holds ? Match::yes : Match::no; };
  switch (check.kind) {
    case TextCheck::Kind::is: return known(text == check.text);
    case TextCheck::Kind::contains: return known(text.find(check.text) != std::string::npos);
    case TextCheck::Kind::lacks: return known(text.find(check.text) == std::string::npos);
    case TextCheck::Kind::matches: return matches(text, check.text);
  }
  return Match::no;
}

/// Why nothing can be said of a text, if that is so.
std::string undecided(Match match) {
  if (match != Match::undecided) return {};
  return "undecided a line cannot be compared with it in " + most_work() + ", or all lines in " + std::to_string(most_steps_of_all_lines) +
         " steps (write the pattern without a repeat in a repeat: a+ rather than (a+)+)\n";
}

std::string_view word_of(TextCheck::Kind kind) {
  switch (kind) {
    case TextCheck::Kind::is: return "to be";
    case TextCheck::Kind::contains: return "to contain";
    case TextCheck::Kind::lacks: return "not to contain";
    case TextCheck::Kind::matches: return "a line that matches";
  }
  return "";
}

std::string against(const std::string& expected, const std::string& found) {
  return "expected  " + expected + "\nfound     " + found;
}

std::string ending_in_words(const Observed& seen) {
  return seen.ran ? describe(seen.ending) : "it did not run: " + printable(seen.judgement.message, 400);
}

class Comparison {
 public:
  Comparison(const Expectation& expect, std::string label, const TestCase& test, const Observed& seen)
      : expect_{expect}, label_{std::move(label)}, test_{test}, seen_{seen} {}

  void say(const std::string& key, std::string detail, std::optional<config::Origin> where = {}) {
    found_.push_back({where ? *where : expect_.origin_of(key), label_ + "." + key, std::move(detail)});
  }

  void check_exit(std::optional<int> wanted) {
    if (!wanted) return;
    const bool exited = seen_.ran && seen_.ending.kind == job::StepEnding::Kind::exited;
    if (exited && seen_.ending.code == *wanted) return;
    say("exit", against(std::to_string(*wanted), exited ? std::to_string(seen_.ending.code) : ending_in_words(seen_)) +
                    "\n" + output_once());
  }

  void check_verdict(std::optional<job::Verdict> verdict, const std::string& reason) {
    const auto& judgement = seen_.judgement;
    if (verdict && judgement.verdict != *verdict)
      say("verdict", against(std::string{to_string(*verdict)},
                             std::string{to_string(judgement.verdict)} + ": " + printable(judgement.message, 400)));
    if (!reason.empty() && judgement.reason != reason)
      say("reason", against(reason, (judgement.reason.empty() ? "none" : judgement.reason) + ": " +
                                        printable(judgement.message, 400)));
  }

  void check_output() {
    for (const auto& check : expect_.output)
      if (const auto match = holds(check, seen_.output); match != Match::yes)
        say("stdout",
            "expected  " + std::string{word_of(check.kind)} + " \"" + printable(check.text, 400) + "\"\n" +
                undecided(match) + output_once(),
            check.where);
  }

  void check_results() {
    if (!expect_.results) return;
    const auto all = [&] {
      std::string text = seen_.results.empty() ? "no test case in the results" : "";
      for (const auto& one : seen_.results) text += "\n  " + one.outcome + "  " + printable(one.name, 300);
      return text;
    };
    if (expect_.results->empty() && !seen_.results.empty()) say("results", against("none", all()));
    for (const auto& wanted : *expect_.results) {
      const auto named = std::find_if(seen_.results.begin(), seen_.results.end(), [&](const auto& one) {
        const auto colon = one.name.find(':');
        return matches_glob(one.name, wanted.name) ||
               (colon != std::string::npos && matches_glob(one.name.substr(colon + 1), wanted.name));
      });
      if (named == seen_.results.end())
        say("results", against(wanted.outcome + "  " + wanted.name, all()), wanted.where);
      else if (named->outcome != wanted.outcome)
        say("results",
            against(wanted.outcome + "  " + wanted.name, named->outcome + "  " + printable(named->name, 300)),
            wanted.where);
    }
  }

  void check_artifacts() {
    if (!expect_.artifacts) return;
    const std::string found = seen_.artifacts.empty() ? "no artifact" : printable(join(seen_.artifacts, ", "), 2000);
    if (expect_.artifacts->empty() && !seen_.artifacts.empty()) say("artifacts", against("none", found));
    for (const auto& pattern : *expect_.artifacts)
      if (std::none_of(seen_.artifacts.begin(), seen_.artifacts.end(),
                       [&](const auto& name) { return matches_glob(name, pattern); }))
        say("artifacts", against(pattern, found));
  }

  void check_files() {
    for (const auto& wanted : expect_.files) {
      const auto found = seen_.files.find(wanted.path);
      const bool there = found != seen_.files.end() && found->second;
      const std::string key = "files." + wanted.path;
      if (there != wanted.exists) {
        say(key,
            against(wanted.exists ? "a file" : "no file", there ? "one is there" : "there is none") + "\n  " +
                printable(with_variables(wanted.path, seen_.variables)),
            wanted.where);
        continue;
      }
      if (!there) continue;
      for (const auto& check : wanted.content) {
        const auto match = holds(check, *found->second);
        if (match == Match::yes) continue;
        const std::string detail = check.kind == TextCheck::Kind::is
                                       ? "- expected, + found\n" + line_difference(check.text, *found->second)
                                       : "expected  " + std::string{word_of(check.kind)} + " \"" +
                                             printable(check.text, 400) + "\"\n" +
                                             undecided(match) + tail_of(*found->second);
        say(key, detail, check.where);
      }
    }
  }

  void check_leftovers() {
    if (!seen_.survivors.empty())
      say("leftover_processes", "these were still there when all was over: " + printable(seen_.survivors));
    if (seen_.leftovers != expect_.leftovers)
      say("leftover_processes",
          against(std::to_string(expect_.leftovers),
                  std::to_string(seen_.leftovers) + " in the background when the hook had ended; they were killed"));
  }

  void check_duration() {
    if (expect_.less_than && seen_.duration >= *expect_.less_than)
      say("duration", against("less than " + format_duration(*expect_.less_than), format_duration(seen_.duration)));
    if (expect_.more_than && seen_.duration <= *expect_.more_than)
      say("duration", against("more than " + format_duration(*expect_.more_than), format_duration(seen_.duration)));
  }

  void check_calls(bool all_of_them) {
    for (const auto& [stub, wanted] : expect_.calls) {
      const auto came =
          std::count_if(seen_.calls.begin(), seen_.calls.end(), [&](const auto& call) { return call.stub == stub; });
      if (static_cast<unsigned>(came) == wanted) continue;
      std::string detail = against(std::to_string(wanted) + " of " + stub, std::to_string(came));
      for (const auto& call : seen_.calls)
        if (call.stub == stub) detail += "\n  " + shown_call(call.stub, call.arguments);
      say("calls", std::move(detail));
    }
    for (std::size_t index = 0; index < seen_.calls.size(); ++index) {
      if (seen_.calls[index].rule) continue;
      const std::vector<StubCall> before(seen_.calls.begin(), seen_.calls.begin() + static_cast<std::ptrdiff_t>(index));
      std::string detail = explain_stray(test_.stubs, seen_.calls[index], before);
      detail.pop_back();
      found_.push_back({stub_origin("stubs"), "stubs", std::move(detail)});
    }
    if (!all_of_them) return;
    for (auto& missing : missing_calls(test_.stubs, seen_.calls))
      found_.push_back({stub_origin("stubs"), "stubs", std::move(missing)});
  }

  void check_secrets() {
    for (const auto& [name, value] : test_.secrets)
      if (value.size() >= 4 && seen_.output.find(value) != std::string::npos)
        found_.push_back(
            {{},
             "secrets",
             "the hook printed the secret " + name + ": the agent makes it unreadable, but a log is no place for it"});
  }

  /// All but how it ended. Under a fault a hook may not have come to its last calls.
  void check_all_it_did(bool came_to_its_end) {
    check_output();
    check_results();
    check_artifacts();
    check_files();
    check_leftovers();
    check_duration();
    check_calls(came_to_its_end);
    check_secrets();
  }

  void check_released(bool wanted) {
    const bool released =
        std::find(seen_.stages.begin(), seen_.stages.end(), job::Stage::release) != seen_.stages.end();
    if (released != wanted) say("released", wanted ? "the release hook did not run" : "the release hook ran");
  }

  std::vector<Mismatch> take() { return std::move(found_); }

 private:
  /// The output is long: once is enough.
  std::string output_once() {
    if (output_shown_) return "output    as above";
    output_shown_ = true;
    return tail_of(seen_.output);
  }

  [[nodiscard]] config::Origin stub_origin(const std::string& key) const {
    const auto found = test_.origins.find(key);
    return found == test_.origins.end() ? config::Origin{} : found->second;
  }

  const Expectation& expect_;
  std::string label_;
  const TestCase& test_;
  const Observed& seen_;
  std::vector<Mismatch> found_;
  bool output_shown_ = false;
};

/// What a job has to say of a fault in this stage.
struct Telling {
  std::optional<job::Verdict> verdict;
  std::string reason;
};

Telling telling_of(Kind fault, job::Stage stage) {
  if (always_runs(stage)) return {job::Verdict::success, ""};  // They never change a verdict.
  switch (fault) {
    case Kind::cancel: return {job::Verdict::killed, "cancelled"};
    case Kind::timeout: return {judges_product(stage) ? job::Verdict::failure : job::Verdict::error, "timeout"};
    case Kind::out_of_memory: return {job::Verdict::error, "oom"};
    case Kind::kill_agent: return {job::Verdict::error, "agent-restarted"};
    case Kind::disk_full: return {};
  }
  return {};
}

}  // namespace

std::vector<Mismatch> compare(const TestCase& test, const Observed& seen) {
  Comparison comparison{test.expect, "expect", test, seen};
  const bool told = test.expect.verdict || !test.expect.reason.empty();
  comparison.check_exit(test.expect.exit ? test.expect.exit : told ? std::nullopt : std::optional<int>{0});
  comparison.check_verdict(test.expect.verdict, test.expect.reason);
  comparison.check_all_it_did(true);
  if (test.expect.released) comparison.check_released(*test.expect.released);
  return comparison.take();
}

std::vector<Mismatch> compare_under(const InjectedFault& fault, const TestCase& test, const Observed& seen,
                                    bool has_release) {
  const Expectation none;
  const Expectation& expect = test.expect_fault ? *test.expect_fault : none;
  Comparison comparison{expect, test.expect_fault ? "expect_fault" : fault.text, test, seen};
  if (!seen.struck) {
    comparison.say("hook",
                   "the hook ended before the fault came: " + ending_in_words(seen) + " after " +
                       format_duration(seen.duration) + "\nlet it come sooner, or give a stub a delay",
                   fault.where);
    return comparison.take();
  }
  const bool told = expect.verdict || !expect.reason.empty();
  const Telling usual = telling_of(fault.kind, test.hook);
  comparison.check_exit(expect.exit);
  comparison.check_verdict(told ? expect.verdict : usual.verdict, told ? expect.reason : usual.reason);
  // A hook that cannot write may fail, or do without; it must not say that all is well when what it promises is not
  // there.
  if (fault.kind == Kind::disk_full && !test.expect_fault && seen.ending.kind == job::StepEnding::Kind::exited &&
      seen.ending.code == 0) {
    Comparison promised{test.expect, "expect", test, seen};
    promised.check_files();
    promised.check_artifacts();
    promised.check_results();
    for (auto& each : promised.take())
      comparison.say(each.what, "the hook ended with 0 on a full disk, but\n" + indented(each.detail, "  "),
                     each.where);
  }
  comparison.check_all_it_did(false);
  if (expect.released)
    comparison.check_released(*expect.released);
  else if (has_release)
    comparison.check_released(true);
  return comparison.take();
}

std::string line_difference(const std::string& expected, const std::string& found) {
  auto before = split(expected, '\n'), after = split(found, '\n');
  if (before.back().empty() && after.back().empty()) before.pop_back(), after.pop_back();
  constexpr std::size_t most = 400;  // The table below is as large as one times the other.
  const bool cut = before.size() > most || after.size() > most;
  before.resize(std::min(before.size(), most));
  after.resize(std::min(after.size(), most));
  std::vector<std::vector<std::size_t>> common(before.size() + 1, std::vector<std::size_t>(after.size() + 1));
  for (std::size_t i = before.size(); i-- > 0;)
    for (std::size_t j = after.size(); j-- > 0;)
      common[i][j] = before[i] == after[j] ? common[i + 1][j + 1] + 1 : std::max(common[i + 1][j], common[i][j + 1]);
  std::string text;
  const auto line = [&](char mark, const std::string& content) {
    text += (text.empty() ? "  " : "\n  ") + std::string{mark} + " " + printable(content, 300);
  };
  std::size_t i = 0, j = 0;
  while (i < before.size() || j < after.size()) {
    if (i < before.size() && j < after.size() && before[i] == after[j]) {
      line(' ', before[i]);
      ++i, ++j;
    } else if (j == after.size() || (i < before.size() && common[i + 1][j] >= common[i][j + 1])) {
      line('-', before[i++]);
    } else {
      line('+', after[j++]);
    }
  }
  return text + (cut ? "\n  (of longer texts)" : "");
}

std::string with_variables(const std::string& text, const std::map<std::string, std::string>& variables) {
  std::string result;
  for (std::size_t index = 0; index < text.size();) {
    if (text[index] != '$') {
      result += text[index++];
      continue;
    }
    const bool braced = index + 1 < text.size() && text[index + 1] == '{';
    std::size_t end = index + (braced ? 2 : 1);
    const std::size_t begin = end;
    while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_')) ++end;
    const auto found = variables.find(text.substr(begin, end - begin));
    const std::size_t after = end + (braced && end < text.size() && text[end] == '}' ? 1 : 0);
    result += found != variables.end() ? found->second : text.substr(index, after - index);
    index = std::max(after, index + 1);
  }
  return result;
}

}  // namespace outpost::hooks
