#pragma once

#include "agent/base/result.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// Commands that stand in for real ones while a plugin is tested: what they expect, and how they were called. Each is a
/// link to the program outpost-stub, which reads its rules from a file and notes every call in another one.
namespace outpost::hooks {

/// A call that is expected of a stub, and what it gets.
struct StubRule {
  std::string place;  ///< Where it was written, for messages: "stubs.oc[0], tests/install.t.yml:6:7".
  std::optional<std::vector<std::string>>
      arguments;                     ///< Globs, one for each; "**" is any number of them. Unset: whatever.
  std::optional<std::string> input;  ///< A glob for the whole standard input; unset: it is not read.
  std::string output, errors;
  std::filesystem::path program;  ///< Answers instead, with the same arguments and input; empty: none.
  int exit = 0;
  std::chrono::milliseconds delay{};  ///< Before it answers.
  unsigned least = 1;                 ///< How often it has to come...
  std::optional<unsigned> most;       ///< ...and may; unset: as often as it likes.
};

struct StubSet {
  bool ordered = false;  ///< The calls of each stub have to come in the order of its rules.
  std::map<std::string, std::vector<StubRule>> rules;  ///< By the name of the command.
};

[[nodiscard]] boost::json::object to_json(const StubSet& stubs);
/// malformed: it was not written by to_json().
[[nodiscard]] Result<StubSet> stub_set_from_json(const boost::json::value& json);

/// How a stub was called.
struct StubCall {
  std::string stub;
  std::vector<std::string> arguments;
  std::string input;
  std::string point;                ///< OUTPOST_POINT of the hook.
  std::optional<std::size_t> rule;  ///< That it fits; nothing: nobody has expected it.
};

[[nodiscard]] boost::json::object to_json(const StubCall& call);

/// The files of a directory of stubs.
struct StubDirectory {
  std::filesystem::path path;

  [[nodiscard]] std::filesystem::path commands() const { return path / "bin"; }  ///< For the PATH.
  [[nodiscard]] std::filesystem::path rules() const { return path / "stubs.json"; }
  [[nodiscard]] std::filesystem::path calls() const { return path / "calls.jsonl"; }

  /// Makes the stubs, links to `program`. Blocks.
  [[nodiscard]] Result<void> create(const StubSet& stubs, const std::filesystem::path& program) const;
  [[nodiscard]] Result<StubSet> read_rules() const;
  /// In the order in which they came; a last line that is not whole does not count. Blocks.
  [[nodiscard]] Result<std::vector<StubCall>> read_calls() const;
};

/// Which rule a call fits, after the calls before it.
[[nodiscard]] std::optional<std::size_t> fitting_rule(const StubSet& stubs, const StubCall& call,
                                                      const std::vector<StubCall>& before);

/// Several lines about a call that fits no rule: what was called, and what comes nearest to it.
[[nodiscard]] std::string explain_stray(const StubSet& stubs, const StubCall& call,
                                        const std::vector<StubCall>& before);

/// What was expected and has not come, one line for each rule.
[[nodiscard]] std::vector<std::string> missing_calls(const StubSet& stubs, const std::vector<StubCall>& calls);

/// `oc get nodes -o json`, as one would type it.
[[nodiscard]] std::string shown_call(const std::string& command, const std::vector<std::string>& arguments);

}  // namespace outpost::hooks
