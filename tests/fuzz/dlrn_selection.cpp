// A selection of a package builder's hashes: a path of a label, or an object.
#include "promise.hpp"

#include "plugins/dlrn/selection.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace outpost;
  using Kind = dlrn::Selection::Kind;
  const auto selection = dlrn::parse_selection(fuzz::text_of(data, size));
  if (!selection) {
    fuzz::promise_message(selection.error().message);
    return 0;
  }
  for (const std::string& step : {selection->label, selection->component})
    fuzz::promise(step.find('/') == std::string::npos && !step.starts_with('.'), "a label and a component are one step down");
  fuzz::promise((selection->kind == Kind::tested) == selection->label.empty(), "what is not tested has a label");
  if (selection->kind == Kind::promoted) fuzz::promise(selection->label != "current" && selection->label != "consistent", "these have no history");
  fuzz::promise(selection->after.empty() || selection->kind == Kind::promoted, "only what is promoted waits for a job");
  if (selection->kind != Kind::tested) return 0;
  const auto& query = selection->query;
  fuzz::promise(query.sequential ? query.job_id.empty() && !query.previous_job_id.empty() : !query.job_id.empty() && query.previous_job_id.empty(), "a job is asked for, once");
  fuzz::promise(query.max_age >= std::chrono::hours{0}, "an age is one");
  return 0;
}
