#include "integration/bad_input.hpp"

#include "agent/job/event.hpp"
#include "support/catch.hpp"

#include <stdexcept>

namespace outpost::test {

namespace json = boost::json;
using job::number_at;
using job::text_at;

void override_configuration(SampleLab& lab, const std::string& yaml) {
  write_file(lab.directory.path / "agent/conf.d/10-test.yml", yaml);
}

json::object the_job(SampleLab& lab) {
  const auto jobs = lab.jobs();
  if (jobs.size() != 1) throw std::runtime_error{std::to_string(jobs.size()) + " jobs"};
  return jobs.front();
}

std::string verdict(SampleLab& lab, const Names& states) {
  lab.start_agent();
  const std::string id = text_at(lab.finished_job(), "id");
  CHECK(lab.states(id) == states);
  CHECK(lab.jobs().size() == 1);
  CHECK(lab.agent_is_running());
  CHECK(number_at(lab.status().at("reporters").at(0).as_object(), "parked") == 0);
  const std::string comment = text_at(lab.jobstates(id).back(), "comment");
  CHECK_THAT(lab.agent_log(), holds(comment.substr(0, comment.find(';'))));
  return comment;
}

}  // namespace outpost::test
