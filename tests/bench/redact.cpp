// What hiding the secrets costs a log on its way to the disk.
#include "agent/log/redactor.hpp"
#include "bench/benchmarks.hpp"
#include "bench/row.hpp"
#include "bench/sample_log.hpp"
#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <functional>
#include <stdexcept>

namespace outpost::bench {
namespace {

constexpr std::size_t log_size = std::size_t{64} << 20;
constexpr std::size_t piece_size = std::size_t{64} << 10;
constexpr int runs = 5;

/// Reads one file and writes another, piece by piece; `change` stands between. Returns MB/s.
double copy(const std::filesystem::path& from, const std::filesystem::path& to,
            const std::function<void(std::string_view, const std::function<void(std::string_view)>&)>& change) {
  const int in = ::open(from.c_str(), O_RDONLY | O_CLOEXEC);
  const int out = ::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (in < 0 || out < 0) throw std::runtime_error{"cannot open the files of the benchmark"};
  const std::function<void(std::string_view)> write = [out](std::string_view bytes) {
    while (!bytes.empty()) {
      const auto count = ::write(out, bytes.data(), bytes.size());
      if (count < 0) throw std::runtime_error{"cannot write: the disk is full?"};
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  };
  std::vector<char> piece(piece_size);
  const Stopwatch watch;
  while (const auto count = ::read(in, piece.data(), piece.size())) {
    if (count < 0) throw std::runtime_error{"cannot read the log of the benchmark"};
    change({piece.data(), static_cast<std::size_t>(count)}, write);
  }
  const double rate = static_cast<double>(log_size) / 1e6 / watch.seconds();
  ::close(in);
  ::close(out);
  return rate;
}

/// The rates with so many secrets, and of the same copy without.
void measure(const std::string& name, std::size_t secret_count, const std::string& target) {
  std::mt19937 random{20};
  const auto secrets = make_secrets(random, secret_count);
  const test::TemporaryDirectory directory;
  const auto log = directory.path / "log", copied = directory.path / "copied", redacted = directory.path / "redacted";
  test::write_file(log, make_log(random, secrets, log_size));

  std::vector<double> ours, floor;
  for (int run = 0; run < runs; ++run) {
    floor.push_back(copy(log, copied, [](std::string_view bytes, const auto& write) { write(bytes); }));
    log::Redactor redactor;
    for (const auto& secret : secrets) redactor.add(secret);
    ours.push_back(
        copy(log, redacted, [&](std::string_view bytes, const auto& write) { write(redactor.feed(bytes)); }));
  }
  const std::string result = test::read_file(redacted);
  for (const auto& secret : secrets)
    if (result.find(secret) != std::string::npos) throw std::runtime_error{"a secret is still in the redacted log"};
  print({name, "MB/s", median(ours), median(floor), target,
         "more is better; file to file with " + std::to_string(secret_count) + " secrets, the floor without redaction"});
}

}  // namespace

void redact() {
  measure("redact", 20, "ours >= 150");
  measure("redact_100", 100, "ours >= 100");
}

}  // namespace outpost::bench
