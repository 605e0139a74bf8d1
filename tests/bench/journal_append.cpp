// What it costs to make a fact durable, alone and in company.
#include "agent/base/wakeup.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "bench/benchmarks.hpp"
#include "bench/row.hpp"
#include "bench/sync_counter.hpp"
#include "support/await.hpp"
#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace outpost::bench {
namespace {

namespace asio = boost::asio;

constexpr int until_full_size = 600, alone = 500, writers = 16, each = 100;

std::vector<job::Event> one_event() {
  std::vector<job::Event> events(1);
  events[0].type = "step.ended";
  events[0].job_id = "01890a5d-ac96-774b-bcce-b302099a8057";
  events[0].step_id = "install.acme-storage";
  events[0].data = {{"stage", "install"}, {"plugin", "acme-storage"},
                    {"hook", "install"},  {"ending", "exited"},
                    {"code", 0},          {"detail", ""},
                    {"class", "success"}, {"duration_ms", 81234},
                    {"leftovers", 0},     {"output_bytes", 4096123}};
  return events;
}

asio::awaitable<int> append(journal::Journal& journal, int count, std::vector<double>& microseconds) {
  for (int i = 0; i < count; ++i) {
    auto events = one_event();
    const Stopwatch watch;
    const auto written = co_await journal.append(std::move(events));
    if (!written) throw std::runtime_error{written.error().message};
    microseconds.push_back(watch.microseconds());
  }
  co_return count;
}

asio::awaitable<int> append_together(journal::Journal& journal, std::vector<double>& microseconds) {
  const auto loop = co_await asio::this_coro::executor;
  int left = writers;
  Wakeup done{loop};
  std::exception_ptr failed;
  for (int i = 0; i < writers; ++i)
    asio::co_spawn(loop, append(journal, each, microseconds), [&](std::exception_ptr error, int) {
      if (error) failed = error;
      if (--left == 0) done.notify();
    });
  co_await done.wait();
  if (failed) std::rethrow_exception(failed);
  co_return writers* each;
}

/// Bare 4 KiB writes, synced one by one, into a file that has its size already; the median, in microseconds.
double bare_write(const std::filesystem::path& path) {
  constexpr off_t block = 4096, blocks = 1024;
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const std::string bytes(block, 'x');
  std::vector<double> microseconds;
  bool good = file >= 0;
  for (off_t i = 0; good && i < blocks; ++i) good = ::pwrite(file, bytes.data(), block, i * block) == block;
  good = good && ::fsync(file) == 0;
  for (off_t i = 0; good && i < alone; ++i) {
    const Stopwatch watch;
    good = ::pwrite(file, bytes.data(), block, i * block) == block && ::fdatasync(file) == 0;
    microseconds.push_back(watch.microseconds());
  }
  if (file >= 0) ::close(file);
  if (!good) throw std::runtime_error{"cannot write " + path.string()};
  return median(microseconds);
}

}  // namespace

void journal_append() {
  const test::TemporaryDirectory directory;
  const double floor = bare_write(directory.path / "bare");
  asio::io_context loop;
  const SystemClock clock;
  auto opened =
      journal::SqliteJournal::open(directory.path / "journal.db", {"bench", "boot", "0"}, clock, loop.get_executor());
  if (!opened) throw std::runtime_error{opened.error().message};
  journal::Journal& journal = **opened;

  // The log of a new journal grows, and each sync then writes its new size too. Once it has been emptied it is written
  // over, for the rest of its life; the file of the floor has its size as well.
  std::vector<double> growing, single, shared;
  test::await(loop, append(journal, until_full_size, growing));
  const auto syncs_before = sync_count();
  test::await(loop, append(journal, alone, single));
  const auto syncs_alone = static_cast<double>(sync_count() - syncs_before);
  const Stopwatch watch;
  const int count = test::await(loop, append_together(journal, shared));
  const double per_append = watch.microseconds() / count;
  const auto syncs = static_cast<double>(sync_count() - syncs_before) - syncs_alone;

  print({"journal_append", "us", median(single), floor, "ratio <= 2",
         "one event; p95 " + format(quantile(single, 0.95), 0) + ", " + format(syncs_alone / alone, 2) +
             " syncs each; the floor is one 4 KiB write and fdatasync"});
  print({"journal_append_new", "us", median(growing), floor, "", "the same while the log of a new journal still grows"});
  print({"journal_append_16", "us", per_append, floor, "",
         "per event with 16 writers at a time; latency " + format(median(shared), 0)});
  print({"journal_group", "1/sync", count / std::max(syncs, 1.0), 1.0, "ours >= 4",
         "more is better; events that shared a sync, with 16 writers"});
}

}  // namespace outpost::bench
