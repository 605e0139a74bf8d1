#include "plugins/junit/case_list.hpp"

#include "plugins/junit/junit_summary.hpp"

namespace outpost::junit {
namespace {

const char* word(Outcome outcome) {
  switch (outcome) {
    case Outcome::success: return "pass";
    case Outcome::skipped: return "skip";
    case Outcome::error: return "error";
    case Outcome::failure: break;
  }
  return "fail";
}

}  // namespace

Result<std::vector<ListedCase>> list_cases(const std::filesystem::path& file) {
  std::vector<ListedCase> cases;
  auto summary = read_junit(file, {}, [&cases](const TestCase& test) {
    cases.push_back({(test.class_name.empty() ? "" : test.class_name + ":") + test.name, word(test.outcome)});
  });
  if (!summary) return summary.error();
  if (!summary->well_formed) return Error{Fault::malformed, file.string() + " is not XML: " + summary->problem};
  return cases;
}

}  // namespace outpost::junit
