// How fast test results are read, and in how much memory.
#include "bench/benchmarks.hpp"
#include "bench/process_status.hpp"
#include "bench/row.hpp"
#include "plugins/junit/junit_summary.hpp"
#include "plugins/junit/tap_conversion.hpp"
#include "support/temporary_directory.hpp"

#include <expat.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace outpost::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t file_size = 100'000'000;
constexpr int runs = 5;

/// Suites of a hundred cases each, as a test tool writes them: most pass in silence, some have output, some a trace.
std::string make_junit(std::size_t size) {
  const std::string line = "2026-11-26 10:00:00 INFO acme.volume: mapped 4096 blocks of /dev/mapper/acme-17 to node 3\n";
  std::string output, text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (int lines = 0; lines < 20; ++lines) output += line;
  for (unsigned suite = 0; text.size() < size; ++suite) {
    text += "<testsuite name=\"acme.volumes." + std::to_string(suite) + "\" tests=\"100\">\n";
    for (unsigned test = 0; test < 100; ++test) {
      text += "<testcase classname=\"acme.volumes.TestMapping\" name=\"test_map_and_unmap[" + std::to_string(test) + "]\" time=\"0.125\">";
      if (test % 50 == 0) text += "<failure message=\"expected 3 &gt; 2\" type=\"AssertionError\"><![CDATA[" + output + "]]></failure>";
      if (test % 10 == 0) text += "<system-out>" + output + "</system-out>";
      text += "</testcase>\n";
    }
    text += "</testsuite>\n";
  }
  return text + "</testsuites>\n";
}

std::string make_tap(std::size_t size) {
  std::string text = "TAP version 14\n";
  unsigned test = 0;
  while (text.size() < size) {
    text += "# Subtest: mapping\n    1..2\n    ok 1 - maps volume " + std::to_string(test) + "\n    ok 2 - unmaps it # SKIP not today\n";
    text += (++test % 20 == 0 ? "not ok " : "ok ") + std::to_string(test) + " - mapping " + std::to_string(test) + "\n  ---\n  message: why\n  duration_ms: 12\n  ...\n";
  }
  return text + "1.." + std::to_string(test) + "\n";
}

double rate(std::uintmax_t size, const Stopwatch& watch) { return static_cast<double>(size) / 1e6 / watch.seconds(); }

/// The XML library reads the file, and nobody asks it for anything.
double bare_pass(const fs::path& file) {
  const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser{XML_ParserCreate(nullptr), &XML_ParserFree};
  const int in = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  const Stopwatch watch;
  constexpr int piece = 64 * 1024;
  for (ssize_t got = piece; got > 0;) {
    void* buffer = XML_GetBuffer(parser.get(), piece);
    got = ::read(in, buffer, piece);
    if (got < 0 || XML_ParseBuffer(parser.get(), static_cast<int>(got), got == 0) != XML_STATUS_OK)
      throw std::runtime_error{"the file of the benchmark is no XML"};
  }
  const double speed = rate(fs::file_size(file), watch);
  ::close(in);
  return speed;
}

double read_summary(const fs::path& file) {
  const Stopwatch watch;
  const auto summary = junit::read_junit(file);
  const double speed = rate(fs::file_size(file), watch);
  if (!summary || !summary->well_formed || summary->failures * 50 != summary->total) throw std::runtime_error{"the file of the benchmark was not read"};
  return speed;
}

double convert(const fs::path& from, const fs::path& to) {
  const int in = ::open(from.c_str(), O_RDONLY | O_CLOEXEC), out = ::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const Stopwatch watch;
  const auto converted = junit::convert_tap(in, from.native(), out, "bench");
  const double speed = rate(fs::file_size(from), watch);
  ::close(in);
  ::close(out);
  if (!converted || !converted->problem.empty()) throw std::runtime_error{"the TAP of the benchmark was not read"};
  return speed;
}

double copy_whole(const fs::path& from, const fs::path& to) {
  const Stopwatch watch;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing);
  return rate(fs::file_size(from), watch);
}

}  // namespace

void junit_parse() {
  const test::TemporaryDirectory directory;
  const auto junit = directory.path / "big.xml", small = directory.path / "small.xml", tap = directory.path / "big.tap", made = directory.path / "made";
  test::write_file(junit, make_junit(file_size));
  test::write_file(small, make_junit(1'000'000));
  test::write_file(tap, make_tap(file_size / 4));
  read_summary(small);
  reset_peak();
  const auto before = memory_of(::getpid()).resident;
  read_summary(junit);
  const auto peak = memory_of(::getpid()).peak;
  std::vector<double> ours, floor, tap_ours, tap_floor;
  for (int run = 0; run < runs; ++run) {
    floor.push_back(bare_pass(junit));
    ours.push_back(read_summary(junit));
    tap_floor.push_back(copy_whole(tap, made));
    tap_ours.push_back(convert(tap, made));
  }
  print({"junit_parse", "MB/s", median(ours), median(floor), "ours >= 150", "more is better; 100 MB of JUnit, the floor is the XML library with nobody listening"});
  print({"junit_parse_memory", "MiB", static_cast<double>(peak - std::min(peak, before)) / (1 << 20), std::nullopt, "ours <= 1",
         "by how much resident memory grows at most while 100 MB are read, after 1 MB was"});
  print({"tap_convert", "MB/s", median(tap_ours), median(tap_floor), "", "more is better; 25 MB of TAP, half of it subtests, to JUnit; the floor is a copy of the file"});
}

}  // namespace outpost::bench
