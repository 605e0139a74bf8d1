#include "agent/log/task_reader.hpp"

#include "agent/base/hash.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <sys/stat.h>
#include <fstream>

using namespace outpost;
using log::TaskReader;
using outpost::test::read_file;
using outpost::test::TemporaryDirectory;

namespace {

struct Report {
  Report() { std::filesystem::create_directory(directory.path / "logs"); }

  void tell(const std::string& text) { std::ofstream{stream, std::ios::app} << text; }
  void task(const std::string& name, const std::string& output, const std::string& result = "ok") {
    tell(R"({"start":")" + name + R"(","at":100.5})" "\n" R"({"out":")" + output + R"("})" "\n" R"({"end":")" + result + R"(","at":102.0,"hosts":{")" +
         result + "\":1}}\n");
  }
  TaskReader reader(TaskReader::Progress progress = {}) {
    log::Redactor redactor;
    redactor.add("hunter2");
    return {stream, {directory.path, "logs", "install.acme"}, redactor, progress};
  }
  [[nodiscard]] std::string output() const { return read_file(directory.path / "logs/install.acme.tasks"); }
  [[nodiscard]] std::string output_of(const log::Task& task) const { return output().substr(task.blob.range->offset, task.blob.size); }

  TemporaryDirectory directory;
  std::filesystem::path stream = directory.path / "tasks.jsonl";
};

TaskReader::News read(TaskReader& reader, bool last = false) {
  auto news = reader.read(last);
  REQUIRE(news);
  return std::move(*news);
}

}  // namespace

TEST_CASE("tasks are told when they end, with their output and how long they took") {
  Report report;
  auto reader = report.reader();
  CHECK(read(reader).ended.empty());  // No file yet.
  report.task("TASK [one]", "ok: [localhost]\\n");
  report.tell("{\"start\":\"TASK [two]\",\"at\":103}\n{\"out\":\"work");
  auto news = read(reader);
  REQUIRE(news.ended.size() == 1);
  CHECK(news.ended[0].name == "TASK [one]");
  CHECK(news.ended[0].result == "ok");
  CHECK(news.ended[0].duration == std::chrono::milliseconds{1500});
  CHECK(news.ended[0].hosts.at("ok") == 1);
  CHECK(news.ended[0].blob.path == "logs/install.acme.tasks");
  CHECK(report.output_of(news.ended[0]) == "ok: [localhost]\n");
  CHECK(news.ended[0].blob.sha256 == sha256_hex("ok: [localhost]\n"));
  CHECK(news.running == "TASK [two]");

  report.tell("ing\\n\"}\n{\"end\":\"changed\",\"where\":\"site.yml:3\",\"warnings\":2}\n");
  news = read(reader);
  REQUIRE(news.ended.size() == 1);
  CHECK(report.output_of(news.ended[0]) == "working\n");
  CHECK(news.ended[0].where == "site.yml:3");
  CHECK(news.ended[0].warnings == 2);
  CHECK_FALSE(news.running);
}

TEST_CASE("a task that the step did not end is interrupted, and so is one before another") {
  Report report;
  report.tell("{\"start\":\"A\"}\n{\"out\":\"half\"}\n{\"start\":\"B\"}\n{\"out\":\"also\"}\n{\"out\":\"lost in a torn li");
  auto reader = report.reader();
  const auto news = read(reader, true);
  REQUIRE(news.ended.size() == 2);
  CHECK(news.ended[0].result == "interrupted");
  CHECK(news.ended[1].name == "B");
  CHECK(news.ended[1].result == "interrupted");
  CHECK(report.output_of(news.ended[1]) == "also");
}

TEST_CASE("secrets are in neither names nor output, wherever the output is cut") {
  Report report;
  report.tell("{\"start\":\"TASK [log in with hunter2]\"}\n{\"out\":\"password hunt\"}\n{\"out\":\"er2 taken\\n\"}\n{\"end\":\"ok\"}\n");
  auto reader = report.reader();
  const auto news = read(reader);
  REQUIRE(news.ended.size() == 1);
  CHECK(news.ended[0].name == "TASK [log in with ***]");
  CHECK(report.output() == "password *** taken\n");
}

TEST_CASE("what events do not tell of is read again by the next agent, and nothing twice") {
  Report report;
  report.task("A", "first");
  report.task("B", "second");
  auto first = report.reader();
  const auto told = read(first);
  REQUIRE(told.ended.size() == 2);
  // Only A had become durable.
  auto next = report.reader({told.ended[0].stream, told.ended[0].blob.size, 1});
  const auto again = read(next, true);
  REQUIRE(again.ended.size() == 1);
  CHECK(again.ended[0].name == "B");
  CHECK(again.ended[0].blob.range->offset == 5);
  CHECK(report.output() == "firstsecond");
}

TEST_CASE("an interrupted task before another does not hide that one from the next agent") {
  Report report;
  report.tell("{\"start\":\"A\"}\n");
  report.task("B", "b");
  auto first = report.reader();
  const auto told = read(first);
  REQUIRE(told.ended.size() == 2);
  auto next = report.reader({told.ended[0].stream, told.ended[0].blob.size, 1});
  CHECK(read(next).ended.at(0).name == "B");
}

TEST_CASE("nonsense, endless lines and endless output harm nobody") {
  Report report;
  report.tell("not json\n[1,2]\n{\"what\":1}\n{\"out\":\"before any task\"}\n{\"end\":\"ok\"}\n");
  report.tell(std::string(3 << 20, 'x') + "\n");
  report.tell("{\"start\":\"LONG\"}\n");
  const std::string piece = "{\"out\":\"" + std::string(60'000, 'y') + "\"}\n";
  for (int count = 0; count < 60; ++count) report.tell(piece);
  report.tell("{\"end\":\"no such result\",\"hosts\":{\"evil\":3,\"ok\":-1},\"warnings\":-5}\n");
  auto reader = report.reader();
  std::vector<log::Task> ended;
  for (bool more = true; more;) {
    auto news = read(reader, true);
    ended.insert(ended.end(), news.ended.begin(), news.ended.end());
    more = news.more;
  }
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].result == "ok");
  CHECK(ended[0].hosts.empty());
  CHECK(ended[0].warnings == 0);
  CHECK(ended[0].blob.size < (2U << 20) + 100);
  CHECK(report.output().find("[gap: ") != std::string::npos);
  CHECK(reader.take_problems() == std::vector<std::string>{"4 lines of its report of tasks make no sense"});
}

TEST_CASE("a step cannot report more tasks than there is room for") {
  Report report;
  for (int count = 0; count < 10'050; ++count) report.tell("{\"start\":\"T\"}\n{\"end\":\"ok\"}\n");
  auto reader = report.reader();
  std::size_t ended = 0;
  for (bool more = true; more;) {
    const auto news = read(reader, true);
    CHECK(news.ended.size() <= 200);
    ended += news.ended.size();
    more = news.more;
  }
  CHECK(ended == 10'000);
  CHECK(reader.take_problems().size() == 1);
}

TEST_CASE("a report that is no file, or a link to somebody else's, is not read") {
  Report report;
  SECTION("a pipe") { REQUIRE(::mkfifo(report.stream.c_str(), 0600) == 0); }
  SECTION("a link") {
    outpost::test::write_file(report.directory.path / "other", "{\"start\":\"A\"}\n{\"end\":\"ok\"}\n");
    std::filesystem::create_symlink(report.directory.path / "other", report.stream);
  }
  auto reader = report.reader();
  CHECK(read(reader, true).ended.empty());
}

TEST_CASE("a report that gets shorter ends what can be told") {
  Report report;
  report.task("A", "first");
  auto reader = report.reader();
  CHECK(read(reader).ended.size() == 1);
  std::filesystem::resize_file(report.stream, 0);
  report.tell("{\"start\":\"X\"}\n");
  CHECK(read(reader, true).ended.empty());
  CHECK(reader.take_problems().size() == 1);
}
