#include "agent/daemon/plugin_test.hpp"

#include "agent/base/own_programs.hpp"
#include "agent/base/private_directory.hpp"
#include "agent/base/text.hpp"
#include "agent/config/small_file.hpp"
#include "agent/daemon/plugin_place.hpp"
#include "agent/daemon/trial.hpp"
#include "plugins/hooks/plugin.hpp"
#include "plugins/hooks/trial/test_report.hpp"


#include <signal.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <system_error>

namespace outpost::daemon {

namespace fs = std::filesystem;
using hooks::TestCase;
using hooks::TestOutcome;

namespace {

volatile std::sig_atomic_t interrupted = 0;

/// While cases run, an interrupt is theirs: the job that runs is cancelled, and no other begins.
class Interrupts {
 public:
  Interrupts() {
    interrupted = 0;
    struct sigaction action{};
    action.sa_handler = [](int) { interrupted = 1; };
    ::sigaction(SIGINT, &action, &before_int_);
    ::sigaction(SIGTERM, &action, &before_term_);
  }
  ~Interrupts() {
    ::sigaction(SIGINT, &before_int_, nullptr);
    ::sigaction(SIGTERM, &before_term_, nullptr);
  }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

 private:
  struct sigaction before_int_{}, before_term_{};
};

/// "install", "install.t.yml", "tests/install.t.yml"
bool is_called(const fs::path& file, const std::string& wanted) {
  const std::string name = file.filename().native();
  return name == fs::path{wanted}.filename().native() || name == wanted + ".t.yml";
}

Result<std::vector<fs::path>> files_of(const fs::path& folder, const std::vector<std::string>& wanted) {
  auto files = hooks::test_case_files(folder);
  if (files.empty())
    return Error{
        Fault::unavailable,
        (folder / "tests").string() +
            " holds no test case: write one, for example test.t.yml with \"hook: test\" (hooks/README.md, Tests)"};
  if (wanted.empty()) return files;
  std::vector<fs::path> chosen;
  for (const auto& name : wanted) {
    const auto found =
        std::find_if(files.begin(), files.end(), [&](const auto& file) { return is_called(file, name); });
    if (found != files.end()) {
      chosen.push_back(*found);
      continue;
    }
    std::vector<std::string> names;
    for (const auto& file : files) names.push_back(file.stem().stem().string());
    const auto near = nearest(name, names);
    return Error{Fault::unavailable,
                 "there is no test case \"" + printable(name, 80) + "\"" +
                     (near ? " (did you mean \"" + *near + "\"?)" : " (" + join(names, ", ") + ")")};
  }
  return chosen;
}

/// Commands that the plugin requires, and that neither this machine nor the case has.
std::string missing_commands(const hooks::Plugin& plugin, const TestCase& test) {
  std::vector<std::string> missing;
  if (plugin.manifest)
    for (const auto& command : plugin.manifest->requirements.commands)
      if (!test.stubs.rules.contains(command) && !hooks::is_command(command)) missing.push_back(command);
  return join(missing, ", ");
}

Result<std::vector<TestCase>> read_cases(const hooks::Plugin& plugin, const std::vector<fs::path>& files,
                                         const fs::path& shown_folder) {
  std::vector<TestCase> cases;
  hooks::Diagnoses diagnoses = plugin.diagnoses;
  for (const auto& file : files) {
    const std::string shown = printable((shown_folder / "tests" / file.filename()).lexically_normal().native());
    const auto text = config::read_small_file(file, config::yaml_bytes);
    if (!text) return text.error();
    auto test = hooks::parse_test_case(*text, file, shown, diagnoses);
    if (!test) continue;
    settle_test_case(*test, plugin, diagnoses);
    cases.push_back(std::move(*test));
  }
  sort_by_place(diagnoses);
  if (has_errors(diagnoses)) return Error{Fault::malformed, std::string{trim(text_of(diagnoses))}};
  return cases;
}

class Session {
 public:
  Session(const hooks::Plugin& plugin, const PluginTestOptions& options, fs::path directory, fs::path stub_program)
      : plugin_{plugin}, options_{options}, directory_{std::move(directory)}, stub_program_{std::move(stub_program)} {}

  void run(const std::vector<TestCase>& cases) {
    std::size_t width = 0;
    for (const auto& test : cases) {
      width = std::max(width, test.name.size());
      for (const auto& fault : test.faults) width = std::max(width, test.name.size() + 1 + fault.text.size());
    }
    for (const auto& test : cases) {
      if (const auto missing = missing_commands(plugin_, test); !missing.empty()) {
        TestOutcome outcome{.plugin = plugin_.name,
                            .name = test.name,
                            .state = TestOutcome::State::skipped,
                            .why = "this machine lacks " + missing + ": install it, or give it a stub"};
        tell(std::move(outcome), width);
        continue;
      }
      run_once(test, std::nullopt, width);
      for (const auto& fault : test.faults) run_once(test, fault, width);
    }
  }

  [[nodiscard]] const std::vector<TestOutcome>& outcomes() const { return outcomes_; }

 private:
  void run_once(const TestCase& test, const std::optional<hooks::InjectedFault>& fault, std::size_t width) {
    if (interrupted != 0) return;
    const fs::path place = directory_ / std::to_string(outcomes_.size() + 1);
    auto outcome = run_trial({plugin_, test, fault, place, stub_program_});
    if (options_.keep) outcome.kept = place.string();
    tell(std::move(outcome), width);
    std::error_code ignored;
    if (!options_.keep) fs::remove_all(place, ignored);
  }

  void tell(TestOutcome outcome, std::size_t width) {
    options_.tell(human_report(outcome, width));
    outcomes_.push_back(std::move(outcome));
  }

  const hooks::Plugin& plugin_;
  const PluginTestOptions& options_;
  fs::path directory_, stub_program_;
  std::vector<TestOutcome> outcomes_;
};

}  // namespace

Result<PluginTestRun> test_plugin(const PluginTestOptions& options) {
  const auto plugin = plugin_in(options.plugin);
  if (!plugin) return plugin.error();
  const auto stub_program = find_own_program("outpost-stub");
  if (!stub_program) return stub_program.error();
  const auto files = files_of(plugin->folder, options.cases);
  if (!files) return files.error();
  const auto cases = read_cases(*plugin, *files, options.plugin);
  if (!cases) return cases.error();
  auto directory = PrivateDirectory::make("outpost-test");
  if (!directory) return directory.error();

  PluginTestRun run;
  Session session{*plugin, options, directory->path(), *stub_program};
  {
    const Interrupts interrupts;
    session.run(*cases);
    run.interrupted = interrupted != 0;
  }
  if (options.keep) directory->keep();
  for (const auto& outcome : session.outcomes()) {
    run.json.push_back(to_json(outcome));
    auto& count = outcome.state == TestOutcome::State::passed   ? run.passed
                  : outcome.state == TestOutcome::State::failed ? run.failed
                                                                : run.skipped;
    ++count;
  }
  run.summary = test_summary(session.outcomes());
  run.junit = junit_report(session.outcomes());
  return run;
}

}  // namespace outpost::daemon
