#include "plugins/hooks/lint.hpp"

#include "agent/base/run_tool.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

namespace outpost::hooks {

Diagnoses shellcheck(const std::filesystem::path& folder, const std::vector<std::string>& scripts, const std::string& shown,
                       std::chrono::milliseconds limit) {
  Diagnoses diagnoses;
  if (scripts.empty()) return diagnoses;
  // What it sources lies beside it or is not there; either way no reason to complain.
  std::vector<std::string> words{"shellcheck", "--format=json", "--external-sources", "--source-path=SCRIPTDIR", "--severity=warning", "--exclude=SC1090,SC1091", "--"};
  words.insert(words.end(), scripts.begin(), scripts.end());
  // It takes a second for a long script; on some virtual machines it never ends.
  const auto ended = run_tool({.words = std::move(words), .directory = folder, .limit = limit});
  if (!ended) {
    if (ended.error().fault == Fault::retry_later)
      diagnoses.push_back({"PL013", Severity::warning, {shown + printable(scripts.front()), 0, 0},
                           ended.error().message + ": what it would say of the plugin's scripts is missing here", {}});
    return diagnoses;
  }
  boost::system::error_code error;
  const auto answer = boost::json::parse(ended->output, error);
  if (error || !answer.is_array()) return diagnoses;
  for (const auto& item : answer.get_array()) {
    const auto* object = item.if_object();
    if (!object) continue;
    const bool is_error = job::text_at(*object, "level") == "error";
    const std::string rule = "SC" + std::to_string(job::number_at(*object, "code"));
    diagnoses.push_back({"PL013", is_error ? Severity::error : Severity::warning,
                         {shown + printable(job::text_at(*object, "file")), static_cast<int>(job::number_at(*object, "line")), static_cast<int>(job::number_at(*object, "column"))},
                         rule + ": " + printable(job::text_at(*object, "message"), 500), {}});
  }
  return diagnoses;
}

}  // namespace outpost::hooks
