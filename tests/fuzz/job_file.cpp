// The file of `outpost job run`.
#include "promise.hpp"

#include "agent/config/job_file.hpp"
#include "support/temporary_directory.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace outpost;
  static const test::TemporaryDirectory directory;
  const auto file = directory.path / "job.yml";
  test::write_file(file, fuzz::text_of(data, size));

  const auto job = config::load_job_file(file);
  if (job) {
    fuzz::promise(!job->name.empty(), "a job has a name");
    for (const auto& component : job->components) fuzz::promise(component.path.is_absolute(), "paths are absolute");
    for (const auto& path : job->plugins_path) fuzz::promise(path.is_absolute(), "paths are absolute");
  } else {
    fuzz::promise(!job.error().list.empty(), "a refusal says why");
    for (const auto& problem : job.error().list) fuzz::promise_message(problem.text());
  }
  return 0;
}
