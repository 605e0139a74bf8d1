#pragma once

#include "agent/config/job_file.hpp"
#include "agent/job/stage.hpp"
#include "agent/job/verdict.hpp"
#include "plugins/hooks/diagnosis.hpp"
#include "plugins/hooks/plugin.hpp"
#include "plugins/hooks/trial/stubs.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The cases of a plugin's tests: tests/NAME.t.yml (hooks/README.md, Tests).
namespace outpost::hooks {

/// What a text has to be like.
struct TextCheck {
  enum class Kind { is, contains, lacks, matches };
  Kind kind = Kind::contains;
  std::string text;
  config::Origin where;
};

struct FileExpectation {
  std::string path;  ///< With the hook's variables: "$OUTPOST_STATE/installed".
  bool exists = true;
  std::vector<TextCheck> content;
  config::Origin where;
};

/// A test case that a hook reports.
struct ResultExpectation {
  std::string name;  ///< A glob, for the name or "classname:name".
  std::string outcome = "pass";
  config::Origin where;
};

/// What has to be true once the hook has ended. What is unset is not looked at, but for what every hook has to keep.
struct Expectation {
  std::optional<int> exit;  ///< Unset: 0, unless something is said of the verdict.
  std::optional<job::Verdict> verdict;
  std::string reason;
  std::vector<TextCheck> output;
  std::optional<std::vector<ResultExpectation>> results;  ///< Empty: none at all.
  std::optional<std::vector<std::string>> artifacts;      ///< Globs; empty: none at all.
  std::vector<FileExpectation> files;
  unsigned leftovers = 0;
  std::optional<std::chrono::milliseconds> less_than, more_than;  ///< How long the hook may take.
  std::map<std::string, unsigned> calls;                          ///< Of stubs, by name.
  std::optional<bool> released;                                   ///< Whether a release hook has run.
  config::Origins origins;                                        ///< By the keys above, as they are written: "exit".

  [[nodiscard]] config::Origin origin_of(std::string_view key) const;
};

/// A fault under which a case is run again.
struct InjectedFault {
  enum class Kind { cancel, timeout, out_of_memory, disk_full, kill_agent };
  Kind kind = Kind::cancel;
  std::chrono::milliseconds after{};  ///< From the hook's start.
  std::string text;                   ///< As it was written: "cancel@1s".
  config::Origin where;
};

/// A file that is there before the hooks run.
struct GivenFile {
  std::string path;  ///< With the hook's variables.
  std::string content;
};

struct TestCase {
  std::string name;            ///< Of the file, without ".t.yml".
  std::filesystem::path file;  ///< Files that it names lie beside it.
  std::string shown;           ///< As messages call the file.
  job::Stage hook = job::Stage::test;
  std::vector<job::Stage> before;  ///< Whose hooks run first.
  std::vector<GivenFile> given;
  config::JobFile job;  ///< Without the plugin and its configuration.
  boost::json::object configuration;
  std::map<std::string, std::string> secrets;
  std::map<std::string, std::string> environment;
  StubSet stubs;
  Expectation expect;
  std::optional<Expectation> expect_fault;
  std::vector<InjectedFault> faults;
  config::Origins origins;
};

/// Reads a case. Everything that is wrong with it is added to `diagnoses`; nothing is returned then. `shown` is what
/// messages call the file. Blocks: files that it names have to be there.
[[nodiscard]] std::optional<TestCase> parse_test_case(std::string_view text, const std::filesystem::path& file,
                                                      const std::string& shown, Diagnoses& diagnoses);

/// What is wrong with a case for this plugin: a stage without a hook, a configuration that does not fit, a variable
/// that the manifest does not let in. Values of secrets that stand in the configuration are put among its secrets.
void settle_test_case(TestCase& test, const Plugin& plugin, Diagnoses& diagnoses);

/// Stands for a directory of the case's own, the same for all its hooks, in `config`, `given` and `files`: a device
/// that shows itself as a directory, a history.
inline constexpr std::string_view lab_variable = "LAB";

/// A configuration with that directory put in.
[[nodiscard]] boost::json::object with_lab(const boost::json::object& configuration, const std::filesystem::path& lab);

/// The files of a plugin's cases, by name.
[[nodiscard]] std::vector<std::filesystem::path> test_case_files(const std::filesystem::path& plugin_folder);

/// Files beside them that look like cases, but are not called NAME.t.yml. `shown` is put in front of the plugin's files.
[[nodiscard]] Diagnoses cases_that_never_run(const std::filesystem::path& plugin_folder, const std::string& shown);

/// Every key of a case, "expect.exit" and so on: for the documents.
[[nodiscard]] std::vector<std::string> test_case_keys();

}  // namespace outpost::hooks
