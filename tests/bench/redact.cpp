// What hiding the secrets costs a log on its way to the disk.
#include "agent/log/redactor.hpp"
#include "bench/benchmarks.hpp"
#include "bench/row.hpp"
#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <array>
#include <functional>
#include <random>
#include <stdexcept>

namespace outpost::bench {
namespace {

constexpr std::size_t log_size = std::size_t{64} << 20;
constexpr std::size_t piece_size = std::size_t{64} << 10;
constexpr int secret_count = 20, runs = 5;

std::vector<std::string> make_secrets(std::mt19937& random) {
  static constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::vector<std::string> secrets(secret_count);
  for (auto& secret : secrets)
    for (std::size_t length = 16 + random() % 25; length > 0; --length) secret += letters[random() % letters.size()];
  return secrets;
}

/// Lines as installers write them; one in a thousand holds a secret.
std::string make_log(std::mt19937& random, const std::vector<std::string>& secrets) {
  static constexpr std::array words{"TASK",     "[acme-storage",   ":",    "wait",    "for",       "nodes]", "ok:",
                                    "changed:", "rack1-3",         "msg=", "retries", "installed", "0",      "rpm",
                                    "false",    "/usr/lib/systemd"};
  std::string log;
  log.reserve(log_size + 256);
  while (log.size() < log_size) {
    for (auto count = 6 + random() % 8; count > 0; --count) log.append(words[random() % words.size()]).append(" ");
    if (random() % 1000 == 0) log += "password=" + secrets[random() % secrets.size()];
    log += '\n';
  }
  log.resize(log_size);
  return log;
}

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

}  // namespace

void redact() {
  std::mt19937 random{20};
  const auto secrets = make_secrets(random);
  const test::TemporaryDirectory directory;
  const auto log = directory.path / "log", copied = directory.path / "copied", redacted = directory.path / "redacted";
  test::write_file(log, make_log(random, secrets));

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
  print({"redact", "MB/s", median(ours), median(floor), "ours >= 150",
         "more is better; file to file with 20 secrets, the floor without redaction"});
}

}  // namespace outpost::bench
