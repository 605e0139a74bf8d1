// The promise that matters most: what append() returned survives a kill at any moment.

#include "agent/job/event_types.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/detached.hpp>

#include <csignal>
#include <map>
#include <random>

namespace {

namespace asio = boost::asio;
using namespace outpost;
using journal::SqliteJournal;

struct Acknowledged {
  job::Seq seq;
  std::uint64_t number;
};

/// Appends as several jobs do, each telling the pipe what was acknowledged, until it is killed.
[[noreturn]] void write_until_killed(const std::filesystem::path& path, int pipe) {
  asio::io_context loop;
  const SystemClock clock;
  auto opened = SqliteJournal::open(path, {"host", "boot", "1"}, clock, loop.get_executor());
  if (!opened || !(*opened)->quarantined().empty()) ::_exit(1);
  SqliteJournal& journal = **opened;
  std::uint64_t number = journal.last() << 8;
  const auto work = [&](std::string job_id) -> asio::awaitable<void> {
    for (int round = 1;; ++round) {
      std::vector<job::Event> drafts(1 + static_cast<std::size_t>(round % 3));
      for (auto& event : drafts) {
        event.type = round % 10 == 0 && &event == &drafts.back() ? std::string{job::event::job_ended} : "step.ended";
        event.job_id = job_id + "-" + std::to_string(number >> 8) + "-" + std::to_string((round - 1) / 10);
        event.data["number"] = ++number;
      }
      const auto events = co_await journal.append(std::move(drafts));
      if (!events) ::_exit(2);
      for (const auto& event : *events) {
        const Acknowledged line{event.seq, static_cast<std::uint64_t>(job::number_at(event.data, "number"))};
        if (::write(pipe, &line, sizeof line) != sizeof line) ::_exit(3);
      }
    }
  };
  for (const char* job_id : {"a", "b", "c"}) asio::co_spawn(loop, work(job_id), asio::detached);
  loop.run();
  ::_exit(4);
}

/// Runs a writer, kills it after it has acknowledged about `count` events, and returns all that it acknowledged.
std::vector<Acknowledged> run_and_kill(const std::filesystem::path& path, unsigned count, unsigned delay_us) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    write_until_killed(path, ends[1]);
  }
  ::close(ends[1]);
  std::vector<Acknowledged> lines;
  Acknowledged line{};
  bool killed = false;
  while (::read(ends[0], &line, sizeof line) == sizeof line) {
    lines.push_back(line);
    if (killed || lines.size() < count) continue;
    ::usleep(delay_us);  // Anywhere between two commits; nothing depends on how long it really is.
    ::kill(child, SIGKILL);
    killed = true;
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  return lines;
}

}  // namespace

TEST_CASE("After kill -9 at any moment every acknowledged event is there, without gaps, and the jobs agree",
          "[journal]") {
  test::TemporaryDirectory directory;
  const auto path = directory.path / "journal.db";
  const SystemClock clock;
  std::mt19937 random{20261120};
  std::map<job::Seq, std::uint64_t> acknowledged;
  for (int round = 0; round < 40; ++round) {
    for (const auto& line : run_and_kill(path, 1 + random() % 40, random() % 3000)) {
      REQUIRE_FALSE(acknowledged.contains(line.seq));
      acknowledged[line.seq] = line.number;
    }
    asio::io_context loop;
    auto journal = SqliteJournal::open(path, {"host", "boot", "1"}, clock, loop.get_executor()).value();
    REQUIRE(journal->quarantined().empty());
    const auto events = journal->read({.limit = 1000000}).value();
    std::map<std::string, journal::JobRow> jobs;
    job::Seq expected = 0;
    for (const auto& event : events) {
      REQUIRE(event.seq == ++expected);
      auto& row = jobs.try_emplace(event.job_id, journal::JobRow{event.job_id, event.seq, 0, false}).first->second;
      row.last = event.seq;
      row.ended = row.ended || event.type == job::event::job_ended;
      if (const auto found = acknowledged.find(event.seq); found != acknowledged.end())
        REQUIRE(found->second == static_cast<std::uint64_t>(job::number_at(event.data, "number")));
    }
    REQUIRE(journal->last() == expected);
    REQUIRE((acknowledged.empty() || acknowledged.rbegin()->first <= expected));
    const auto rows = journal->jobs(false, 1000000).value();
    REQUIRE(rows.size() == jobs.size());
    for (const auto& row : rows) {
      REQUIRE(row.first == jobs[row.job_id].first);
      REQUIRE(row.last == jobs[row.job_id].last);
      REQUIRE(row.ended == jobs[row.job_id].ended);
    }
  }
  CHECK(acknowledged.size() >= 40);
}
