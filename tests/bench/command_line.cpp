// What somebody waits for who types a command: its start, and the status of a daemon with a long history.
#include "agent/base/descriptor.hpp"
#include "agent/base/ids.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "bench/benchmarks.hpp"
#include "bench/child.hpp"
#include "bench/row.hpp"
#include "bench/settings.hpp"
#include "support/await.hpp"

#include <boost/json/array.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <utility>

namespace outpost::bench {
namespace {

constexpr std::size_t jobs_of_history = 10'000, jobs_at_once = 100;
constexpr int runs = 50;

std::unique_ptr<journal::SqliteJournal> open_journal(const test::SampleLab& lab, const Clock& clock,
                                                     boost::asio::io_context& loop) {
  auto opened = journal::SqliteJournal::open(lab.directory.path / "agent/state/journal.db", {"bench", "boot", "0"},
                                             clock, loop.get_executor());
  if (!opened) throw std::runtime_error{opened.error().message};
  return std::move(*opened);
}

/// Writes the one job of a journal again and again, with other ids. No reporter wants them.
void copy_job(const test::SampleLab& lab) {
  boost::asio::io_context loop;
  const SystemClock clock;
  const auto journal = open_journal(lab, clock, loop);
  const auto rows = journal->jobs(false, 1);
  if (!rows || rows->empty()) throw std::runtime_error{"the journal has no job"};
  const auto events = journal->read({.job_id = rows->front().job_id, .limit = 10'000});
  if (!events) throw std::runtime_error{events.error().message};
  for (std::size_t made = 0; made < jobs_of_history; made += jobs_at_once) {
    std::vector<job::Event> drafts;
    for (std::size_t copy = 0; copy < jobs_at_once; ++copy) {
      const std::string id = new_id(clock.now());
      for (const auto& event : *events) {
        auto& draft = drafts.emplace_back(event);
        draft.job_id = id;
        if (draft.data.contains("reporters")) draft.data["reporters"] = boost::json::array{};
      }
    }
    if (const auto written = test::await(loop, journal->append(std::move(drafts))); !written)
      throw std::runtime_error{written.error().message};
  }
}

/// Clock ticks that a process has computed for.
long ticks_of(pid_t pid) {
  const std::string stat = test::read_file("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream fields{stat.substr(stat.rfind(')') + 2)};
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  long user = 0, system = 0;
  fields >> user >> system;
  return user + system;
}

/// Waits until a daemon that was just started has read all of its history.
void wait_until_quiet(pid_t pid) {
  using namespace std::chrono_literals;
  for (long before = -100, now = 0; (now = ticks_of(pid)) - before > 2; before = now) std::this_thread::sleep_for(1s);
}

/// GET of the status by the least that can ask: connect, write, read to the end.
double ask_bare(const std::filesystem::path& path) {
  const std::string request = "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  ::sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const Stopwatch watch;
  const Descriptor socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (::connect(socket.get(), reinterpret_cast<const ::sockaddr*>(&address), sizeof address) != 0 ||
      ::write(socket.get(), request.data(), request.size()) != static_cast<ssize_t>(request.size()))
    throw std::runtime_error{"the daemon does not listen on " + path.string()};
  char bytes[16 * 1024];
  std::size_t all = 0;
  for (ssize_t got = 0; (got = ::read(socket.get(), bytes, sizeof bytes)) > 0;) all += static_cast<std::size_t>(got);
  if (all == 0) throw std::runtime_error{"the daemon did not answer"};
  return watch.milliseconds();
}

double milliseconds_of(const std::vector<std::string>& command) { return run_child(command) * 1e3; }

/// By turns with an empty program; the medians.
std::pair<double, double> compare(const std::vector<std::string>& command, const std::function<double()>& floor) {
  std::vector<double> ours, least;
  for (int run = 0; run <= runs; ++run) {
    const double took = milliseconds_of(command), base = floor();
    if (run == 0) continue;  // The disk reads.
    ours.push_back(took);
    least.push_back(base);
  }
  return {median(ours), median(least)};
}

}  // namespace

void command_line() {
  const auto empty = [] { return milliseconds_of({"/bin/true"}); };
  const std::vector<std::vector<std::string>> starts{{"version"},
                                                     {"--help"},
                                                     {"status", "--help"},
                                                     {"job", "run", "--help"},
                                                     {"completion", "bash"},
                                                     {"config", "explain", "slots"},
                                                     {"config", "schema"}};
  double slowest = 0, floor = 0;
  std::string note = "median of " + std::to_string(runs) + ", the slowest of:";
  for (auto words : starts) {
    std::string name;
    for (const auto& word : words) name += " " + word;
    words.insert(words.begin(), OUTPOST_COMMAND);
    const auto [ours, least] = compare(words, empty);
    if (ours > slowest) std::tie(slowest, floor) = std::pair{ours, least};
    note += name + " " + format(ours, 2) + " ms;";
  }
  print({"command_start", "ms", slowest, floor, "ours <= 10", note});

  test::SampleLab lab;
  write_settings(lab, "30s");
  test::write_file(lab.directory.path / "agent/conf.d/10-history.yml", "history: {jobs: 1000000}\n");
  lab.feed("1.0", {});
  lab.start_agent();
  static_cast<void>(lab.finished_job());
  lab.stop_agent(SIGTERM);
  copy_job(lab);
  lab.start_agent();
  lab.until("the agent",
            [&] { return lab.agent_is_up() && !lab.status().at("sources").at(0).at("last_poll").is_null(); });
  wait_until_quiet(lab.agent_pid());
  const auto socket = lab.directory.path / "agent/run/api.sock";
  const std::string config = (lab.directory.path / "agent/outpost.yml").string();
  const auto bare = [&] { return empty() + ask_bare(socket); };
  const auto [status, least] = compare({OUTPOST_COMMAND, "status", "--config", config}, bare);
  const auto [list, unused] = compare({OUTPOST_COMMAND, "job", "list", "--config", config}, empty);
  const auto [spool, unused_too] = compare({OUTPOST_COMMAND, "spool", "status", "--config", config}, empty);
  print({"status_10k", "ms", status, least, "ours <= 10",
         "median of " + std::to_string(runs) + " against a daemon with " + std::to_string(jobs_of_history) +
             " jobs of history; job list " + format(list, 2) + " ms, spool status " + format(spool, 2) + " ms"});
  lab.stop_agent(SIGTERM);
}

}  // namespace outpost::bench
