#include "plugins/hooks/diagnosis.hpp"

#include <algorithm>
#include <tuple>

namespace outpost::hooks {
namespace {

std::string_view code_of(config::ProblemKind kind) {
  switch (kind) {
    case config::ProblemKind::unknown_key: return "PL005";
    case config::ProblemKind::duplicate_key: return "PL016";
    case config::ProblemKind::value:
    case config::ProblemKind::missing_key:
    case config::ProblemKind::syntax: break;
  }
  return "PL001";
}

}  // namespace

std::string Diagnosis::text() const { return where.text() + ": " + code + " " + message + (fix.empty() ? "" : "; " + fix); }

bool has_errors(const Diagnoses& diagnoses) {
  return std::any_of(diagnoses.begin(), diagnoses.end(), [](const auto& one) { return one.severity == Severity::error; });
}

void sort_by_place(Diagnoses& diagnoses) {
  std::sort(diagnoses.begin(), diagnoses.end(), [](const auto& left, const auto& right) {
    return std::tie(left.where.file, left.where.line, left.where.column, left.code) < std::tie(right.where.file, right.where.line, right.where.column, right.code);
  });
}

std::string text_of(const Diagnoses& diagnoses) {
  std::string text;
  for (const auto& diagnosis : diagnoses) text += diagnosis.text() + "\n";
  return text;
}

Diagnoses diagnoses_of(const config::Problems& problems) {
  Diagnoses diagnoses;
  for (const auto& problem : problems.list)
    diagnoses.push_back({std::string{code_of(problem.kind)}, Severity::error, problem.where, problem.message, {}});
  return diagnoses;
}

const std::vector<Code>& all_codes() {
  static const std::vector<Code> codes{
      {"PL001", "the manifest does not fit its schema"},
      {"PL002", "a hook is not executable"},
      {"PL003", "CRLF line endings, or a #! line that leads nowhere"},
      {"PL004", "a command that the plugin requires is missing"},
      {"PL005", "unknown key"},
      {"PL006", "a long hook without a time limit of its own"},
      {"PL007", "a secret in the environment or in the configuration"},
      {"PL008", "set -x in a hook of a plugin that has secrets"},
      {"PL009", "writes outside the directories of the job"},
      {"PL010", "acquire without release"},
      {"PL011", "a background process that nothing waits for"},
      {"PL012", "a pattern that matched nothing in the last run"},
      {"PL013", "shellcheck"},
      {"PL014", "a file that SELinux will not let run"},
      {"PL015", "a file system that is mounted noexec"},
      {"PL016", "a key is written twice"},
      {"PL017", "a contract version that this agent does not know"},
      {"PL018", "the configuration does not fit the plugin's schema"},
      {"PL019", "a hook that never runs"},
      {"PL020", "the plugin's name is not the folder's"},
      {"PL021", "this machine, agent or site is not what the plugin requires"},
      {"PL022", "sudo in a hook that is not for the root profile"},
      {"PL030", "a test case does not fit its schema, or is none by its name"},
      {"PL031", "a test case of a stage without a hook"},
  };
  return codes;
}

}  // namespace outpost::hooks
