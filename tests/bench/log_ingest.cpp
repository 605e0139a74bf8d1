// What a step's output costs on its way to the disk: from the pipe into segments, with the times of its lines, and
// without the secrets into the redacted log.
#include "agent/log/capture.hpp"
#include "bench/benchmarks.hpp"
#include "bench/child.hpp"
#include "bench/process_status.hpp"
#include "bench/row.hpp"
#include "bench/sample_log.hpp"
#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace outpost::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t log_size = std::size_t{64} << 20;
constexpr int repeats = 16, secret_count = 20, runs = 3;
constexpr double megabytes = repeats * static_cast<double>(log_size) / 1e6;

/// A process that prints the log again and again into a pipe; gives the end to read from.
class Printer {
 public:
  explicit Printer(const std::string& log) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error{"no pipe"};
    ::fcntl(ends[0], F_SETPIPE_SZ, 256 * 1024);
    child_ = ::fork();
    if (child_ == 0) {
      ::close(ends[0]);
      for (int repeat = 0; repeat < repeats; ++repeat)
        for (std::size_t at = 0; at < log.size();) {
          const auto size = ::write(ends[1], log.data() + at, std::min<std::size_t>(log.size() - at, 64 * 1024));
          if (size < 0) ::_exit(1);
          at += static_cast<std::size_t>(size);
        }
      ::_exit(0);
    }
    ::close(ends[1]);
    out_ = ends[0];
  }
  ~Printer() {
    ::close(out_);
    ::waitpid(child_, nullptr, 0);
  }
  Printer(const Printer&) = delete;
  Printer& operator=(const Printer&) = delete;
  [[nodiscard]] int out() const { return out_; }

 private:
  pid_t child_ = -1;
  int out_ = -1;
};

double ours(const fs::path& directory, const std::string& text, const log::Redactor& redactor) {
  const SystemClock clock;
  fs::create_directories(directory / "logs");
  const log::Place place{.job_directory = directory, .folder = "logs", .step = "step"};
  auto capture = log::Capture::open(place, redactor, clock, {.limit = UINT64_MAX});
  if (!capture) throw std::runtime_error{capture.error().message};
  const Printer printer{text};
  ::fcntl(printer.out(), F_SETFL, O_NONBLOCK);
  const Stopwatch watch;
  for (bool end = false; !end;) {
    pollfd state{printer.out(), POLLIN, 0};
    ::poll(&state, 1, -1);
    const auto taken = capture->take(printer.out());
    if (taken.refused != 0) throw std::runtime_error{"cannot write: the disk is full?"};
    end = taken.end;
  }
  if (!capture->prepare(true)) throw std::runtime_error{"there is no log"};
  const double rate = megabytes / watch.seconds();
  if (capture->raw_size() != repeats * text.size()) throw std::runtime_error{"not all of the output is there"};
  fs::remove_all(directory);
  return rate;
}

double cat(const fs::path& file, const std::string& text) {
  const Printer printer{text};
  const auto in = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(printer.out());
  const Stopwatch watch;
  run_child({"cat", in}, file);
  const double rate = megabytes / watch.seconds();
  fs::remove(file);
  return rate;
}

}  // namespace

void log_ingest() {
  std::mt19937 random{20};
  const auto secrets = make_secrets(random, secret_count);
  const auto text = make_log(random, secrets, log_size);
  log::Redactor redactor;
  for (const auto& secret : secrets) redactor.add(secret);
  const test::TemporaryDirectory directory;

  std::vector<double> rates, floors;
  std::uint64_t growth = 0;
  for (int run = 0; run < runs; ++run) {
    floors.push_back(cat(directory.path / "copy", text));
    reset_peak();
    const auto before = memory_of(::getpid()).resident;
    rates.push_back(ours(directory.path / "job", text, redactor));
    growth = std::max(growth, memory_of(::getpid()).peak - before);
  }
  print({"log_ingest", "MB/s", median(rates), median(floors), median(floors) > 300 ? "ours >= 150" : "ratio >= 0.5",
         "more is better; 1 GiB from a pipe, 20 secrets; the floor is cat into a file"});
  print({"log_ingest_memory", "MiB", static_cast<double>(growth) / (1 << 20), {}, "ours <= 16",
         "by how much the resident memory grows meanwhile"});
}

}  // namespace outpost::bench
