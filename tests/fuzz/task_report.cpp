// What a step writes as the report of its tasks: a stranger's file.
#include "promise.hpp"

#include "agent/log/task_reader.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace outpost;

/// All tasks that are read from here on.
std::vector<log::Task> read_all(const std::filesystem::path& directory, log::TaskReader::Progress progress) {
  log::TaskReader reader{directory / "tasks.jsonl", {directory, "logs", "step"}, log::Redactor{}, progress};
  std::vector<log::Task> tasks;
  for (bool more = true; more;) {
    auto news = reader.read(true);
    fuzz::promise(news.has_value(), "a report is never an error");
    for (auto& task : news->ended) tasks.push_back(std::move(task));
    more = news->more;
  }
  return tasks;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const test::TemporaryDirectory directory;
  std::filesystem::create_directories(directory.path / "logs");
  test::write_file(directory.path / "tasks.jsonl", fuzz::text_of(data, size));
  const auto tasks = read_all(directory.path, {});
  const std::string output = test::read_file(directory.path / "logs/step.tasks");
  std::uint64_t end = 0, stream = 0;
  for (const auto& task : tasks) {
    fuzz::promise(task.blob.range->offset == end, "outputs follow each other");
    fuzz::promise(task.stream >= stream && task.stream <= size, "the stream is read forward");
    end += task.blob.size;
    stream = task.stream;
  }
  fuzz::promise(output.size() >= end, "what is named is there");
  if (tasks.size() < 2) return 0;
  // An agent that goes on after the first task tells the others as the first agent did.
  const auto& first = tasks.front();
  const auto again = read_all(directory.path, {first.stream, first.blob.size, 1});
  fuzz::promise(again.size() + 1 == tasks.size(), "the next agent finds as many");
  for (std::size_t index = 0; index < again.size(); ++index)
    fuzz::promise(again[index].name == tasks[index + 1].name && again[index].blob.sha256 == tasks[index + 1].blob.sha256, "and the same");
  fuzz::promise(test::read_file(directory.path / "logs/step.tasks") == output, "and the output is as it was");
  return 0;
}
