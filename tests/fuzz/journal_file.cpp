// A journal's file and its write-ahead log with any damage: it opens, what can be read is read, and it can be written.
// An input is the length of the file as 4 bytes, the lowest first, then the file, then the log.
#include "promise.hpp"

#include "agent/journal/sqlite/sqlite_journal.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace outpost;

/// In memory, where there is such a place: a journal syncs often.
fs::path make_directory() {
  std::string name = fs::is_directory("/dev/shm") ? "/dev/shm/outpost-fuzz-XXXXXX" : "/tmp/outpost-fuzz-XXXXXX";
  fuzz::promise(::mkdtemp(name.data()) != nullptr, "a temporary directory can be made");
  return name;
}

void write(const fs::path& path, std::string_view bytes) {
  std::ofstream{path, std::ios::binary}.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

void read_everything(journal::SqliteJournal& journal) {
  if (const auto jobs = journal.jobs(false, 1000))
    for (const auto& row : *jobs) (void)journal.read({.job_id = row.job_id});
  (void)journal.read({.limit = 100'000});
  const auto reporters = journal.reporters();
  if (!reporters) return;
  for (const auto& reporter : *reporters) {
    (void)journal.open(reporter.name);
    (void)journal.parked(reporter.name);
    (void)journal.backlog(reporter.name);
  }
}

bool append(asio::io_context& loop, journal::SqliteJournal& journal) {
  std::vector<job::Event> drafts(1);
  drafts.front().type = "next";
  bool written = false;
  asio::co_spawn(
      loop, journal.append(std::move(drafts)),
      [&](std::exception_ptr, const Result<std::vector<job::Event>>& result) { written = result.has_value(); });
  loop.restart();
  loop.run();
  return written;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const std::string_view rest = fuzz::text_of(data, size).substr(4);
  const std::size_t length =
      std::min<std::size_t>(rest.size(), data[0] | data[1] << 8 | data[2] << 16 | std::size_t{data[3]} << 24);
  const fs::path directory = make_directory(), path = directory / "journal.db";
  write(path, rest.substr(0, length));
  if (length < rest.size()) write(path.string() + "-wal", rest.substr(length));
  const SystemClock clock;
  asio::io_context loop;
  for (int start = 0; start < 2; ++start) {
    auto journal = journal::SqliteJournal::open(path, {"host", "boot", "1"}, clock, loop.get_executor());
    if (!journal) {
      fuzz::promise(journal.error().fault == Fault::refused,
                    "a file is refused only when it is another program's or a newer agent's");
      fuzz::promise(!journal.error().message.empty(), "a message is not empty");
      break;
    }
    read_everything(**journal);
    fuzz::promise(append(loop, **journal) || start == 0, "a journal that was rescued can be written");
  }
  fs::remove_all(directory);
  return 0;
}
