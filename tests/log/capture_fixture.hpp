#pragma once

#include "agent/log/capture.hpp"

#include "agent/base/hash.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <sys/resource.h>

#include <csignal>

namespace outpost::log::test {

using outpost::test::read_file;
using outpost::test::TemporaryDirectory;
using outpost::test::write_file;

struct JobDirectory : TemporaryDirectory {
  JobDirectory() { std::filesystem::create_directories(path / "logs"); }
  [[nodiscard]] Place place() const { return {.job_directory = path, .folder = "logs", .step = "step1"}; }
  [[nodiscard]] std::string raw() const { return read_file(place().raw()); }
  [[nodiscard]] std::string log() const { return read_file(place().log()); }
};

inline Redactor redactor(std::initializer_list<std::string_view> secrets = {"hunter22"}) {
  Redactor made;
  for (const auto secret : secrets) made.add(secret);
  return made;
}

inline Capture open(const JobDirectory& job, std::uint64_t limit = Capture::default_limit) {
  auto capture = Capture::open(job.place(), redactor(), limit);
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

/// A disk that is full: no file may become larger than this, for this whole process.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t size) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = size;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

}  // namespace outpost::log::test
