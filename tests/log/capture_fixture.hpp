#pragma once

#include "agent/log/capture.hpp"

#include "agent/base/hash.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_directory.hpp"

namespace outpost::log::test {

using outpost::test::FileSizeLimit;
using outpost::test::read_file;
using outpost::test::TemporaryDirectory;
using outpost::test::write_file;

struct JobDirectory : TemporaryDirectory {
  JobDirectory() { std::filesystem::create_directories(path / "logs"); }
  [[nodiscard]] Place place() const { return {.job_directory = path, .folder = "logs", .step = "step1"}; }
  /// All segments, plain or packed.
  [[nodiscard]] std::string raw() const {
    std::string all;
    for (const auto& file : segment_files(place())) {
      auto reader = SegmentReader::open(place(), file);
      std::string chunk(100'000, '\0');
      while (const auto size = reader->read(chunk).value()) all.append(chunk, 0, size);
    }
    return all;
  }
  [[nodiscard]] std::string log() const { return read_file(place().log()); }
};

inline Redactor redactor(std::initializer_list<std::string_view> secrets = {"hunter22"}) {
  Redactor made;
  for (const auto secret : secrets) made.add(secret);
  return made;
}

inline const SystemClock& system_clock() {
  static const SystemClock clock;
  return clock;
}

inline Capture open(const JobDirectory& job, CaptureOptions options = {}) {
  auto capture = Capture::open(job.place(), redactor(), system_clock(), options);
  REQUIRE(capture);
  return std::move(*capture);
}

/// The next piece, synced and taken.
inline std::optional<Cut> cut(Capture& capture, bool last) {
  const auto piece = capture.prepare(last);
  if (!piece) return {};
  const auto synced = piece->sync();
  REQUIRE(synced);
  capture.taken(*synced);
  return *synced;
}

/// A pipe as a step has it, non-blocking at the reading end.
class StepPipe {
 public:
  StepPipe() {
    REQUIRE(::pipe2(ends_, O_CLOEXEC) == 0);
    ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
    ::fcntl(ends_[0], F_SETPIPE_SZ, 256 * 1024);
  }
  ~StepPipe() {
    close();
    ::close(ends_[0]);
  }
  StepPipe(const StepPipe&) = delete;
  StepPipe& operator=(const StepPipe&) = delete;

  [[nodiscard]] int out() const { return ends_[0]; }
  void print(std::string_view text) {
    REQUIRE(::write(ends_[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void close() {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }

 private:
  int ends_[2]{};
};

/// What a JobRunner does with closed segments: packs and names them, and removes the plain files.
inline std::vector<job::LogSegment> pack(Capture& capture, bool remove = true) {
  std::vector<job::LogSegment> named;
  for (const auto& segment : capture.closed()) {
    const auto blob = segment.pack();
    REQUIRE(blob);
    named.push_back({segment.begin, segment.size, segment.redacted, to_json(segment.redactor), *blob, false});
    if (remove) segment.remove_plain();
  }
  capture.named(named.size());
  return named;
}

}  // namespace outpost::log::test
