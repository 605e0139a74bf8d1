// JUnit files, which the partner's test tools write.
#include "promise.hpp"

#include "plugins/junit/junit_summary.hpp"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace outpost;
  static const int file = ::memfd_create("junit.xml", MFD_CLOEXEC);
  const bool written = ::ftruncate(file, 0) == 0 && ::pwrite(file, data, size, 0) == static_cast<ssize_t>(size);
  fuzz::promise(written && ::lseek(file, 0, SEEK_SET) == 0, "the input can be written");

  const auto summary = junit::read_junit(file, "junit.xml", {.bytes = 64 << 10, .depth = 16, .token = 4 << 10});
  fuzz::promise(summary.has_value(), "a file that can be read has a summary");
  fuzz::promise(summary->well_formed == summary->problem.empty(), "a problem has words");
  if (!summary->problem.empty()) fuzz::promise_message(summary->problem);
  for (const auto count : {summary->success, summary->failures, summary->errors, summary->skips})
    fuzz::promise(count >= 0 && count <= summary->total, "a count is a part of the total");
  fuzz::promise(summary->success + summary->failures + summary->errors + summary->skips == summary->total,
                "a case has one outcome");
  fuzz::promise(summary->failed.size() <= 20, "not more failures are named than a person reads");
  return 0;
}
