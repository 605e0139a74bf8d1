#include "integration/job_content.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <algorithm>
#include <stdexcept>

namespace outpost::test {

using job::text_at;

namespace {

void check_states(JobContent& content, const std::string& status_of_job) {
  static const std::vector<std::string> order{"new", "pre-run", "running", "post-run"};
  static const std::set<std::string> verdicts{"success", "failure", "error", "killed"};
  const std::string all = join(content.states, ", ");
  if (content.states.size() < 2 || !verdicts.contains(content.states.back())) {
    content.wrong.push_back("no verdict at the end of the states: " + all);
    return;
  }
  auto at = order.begin();
  for (auto state = content.states.begin(); state + 1 != content.states.end(); ++state) {
    at = std::find(at, order.end(), *state);
    if (at == order.end()) {
      content.wrong.push_back("the state " + *state + " is out of order in " + all);
      return;
    }
    ++at;
  }
  if (status_of_job != content.states.back())
    content.wrong.push_back("the job is " + status_of_job + ", its last state " + content.states.back());
}

}  // namespace

JobContent content_of(SampleLab& lab, const std::string& job) {
  JobContent content;
  content.id = job;
  const auto row = lab.admin("GET", "/jobs/" + job).at("job").as_object();
  for (const auto& tag : job::texts_at(row, "tags"))
    content.tags.push_back(tag.starts_with("outpost:") ? "outpost:*" : tag);
  for (const auto& state : lab.jobstates(job)) {
    content.states.push_back(text_at(state, "status"));
    content.verdict_comment = text_at(state, "comment");
  }
  check_states(content, text_at(row, "status"));

  std::set<std::string> names, steps;
  for (const auto& file : lab.files(job)) {
    const std::string name = text_at(file, "name");
    if (!names.insert(name).second) content.doubled.push_back(name);
    if (const auto mark = name.rfind(".log@"); mark != std::string::npos)
      steps.insert(name.substr(0, mark));
    else
      content.files[name] = lab.content(text_at(file, "id"));
  }
  for (const auto& step : steps) try {
      content.logs[step] = lab.log_of(job, step);
    } catch (const std::runtime_error& error) {
      content.wrong.emplace_back(error.what());
    }
  for (const auto& result : lab.results(job))
    if (!content.results.emplace(std::string{result.at("name").as_string()}, result.at("total").as_int64()).second)
      content.doubled.push_back("result " + std::string{result.at("name").as_string()});
  try {
    for (const auto& [key, value] : lab.key_values(job)) content.keys.insert(key);
  } catch (const std::runtime_error& error) {
    content.doubled.emplace_back(error.what());
  }
  return content;
}

}  // namespace outpost::test
