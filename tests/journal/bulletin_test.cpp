#include "agent/journal/bulletin.hpp"

#include "support/catch.hpp"

#include <boost/asio/io_context.hpp>

namespace {

using namespace outpost;
using journal::Bulletin;
using journal::Note;

Note note(std::string job_id, std::string step_id, std::string kind, int value) {
  return {std::move(job_id), std::move(step_id), std::move(kind), {{"value", value}}, Timestamp{}};
}

std::int64_t value_of(const Note& note) { return note.data.at("value").as_int64(); }

}  // namespace

TEST_CASE("A newer note takes the place of the older one", "[journal]") {
  boost::asio::io_context loop;
  Bulletin bulletin{loop.get_executor()};
  for (int value = 1; value <= 1000; ++value) bulletin.post(note("job-1", "install.acme", "workspace", value));
  bulletin.post(note("job-1", "", "download", 5));
  bulletin.post(note("job-10", "", "download", 6));
  const auto up = bulletin.of_job("job-1");
  REQUIRE(up.size() == 2);
  CHECK(up[0].kind == "download");
  CHECK(value_of(up[1]) == 1000);
  CHECK(bulletin.of_job("job-2").empty());
}

TEST_CASE("Listeners hear each note as it is then, not each that there was", "[journal]") {
  boost::asio::io_context loop;
  Bulletin bulletin{loop.get_executor(), std::chrono::milliseconds{1}};
  std::vector<std::int64_t> heard;
  auto token = bulletin.subscribe([&](const Note& told) { heard.push_back(value_of(told)); });
  for (int value = 1; value <= 100; ++value) {
    bulletin.post(note("job-1", "a", "size", value));
    bulletin.post(note("job-1", "b", "size", -value));
  }
  loop.run();
  CHECK(heard == std::vector<std::int64_t>{100, -100});
  bulletin.post(note("job-1", "a", "size", 7));
  token.reset();
  loop.restart();
  loop.run();
  CHECK(heard.size() == 2);
}

TEST_CASE("What has ended is taken back, also from those who were about to hear of it", "[journal]") {
  boost::asio::io_context loop;
  Bulletin bulletin{loop.get_executor(), std::chrono::milliseconds{1}};
  int heard = 0;
  const auto token = bulletin.subscribe([&](const Note&) { ++heard; });
  bulletin.post(note("job-1", "a", "size", 1));
  bulletin.post(note("job-1", "b", "size", 1));
  bulletin.withdraw("job-1", "a");
  CHECK(bulletin.of_job("job-1").size() == 1);
  bulletin.withdraw("job-1");
  CHECK(bulletin.of_job("job-1").empty());
  loop.run();
  CHECK(heard == 0);
}

TEST_CASE("A bulletin that dies with a note untold tells nobody", "[journal]") {
  boost::asio::io_context loop;
  int heard = 0;
  {
    Bulletin bulletin{loop.get_executor(), std::chrono::milliseconds{1}};
    const auto token = bulletin.subscribe([&](const Note&) { ++heard; });
    bulletin.post(note("job-1", "a", "size", 1));
  }
  loop.run();
  CHECK(heard == 0);
}
