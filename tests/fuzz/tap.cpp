// TAP documents, which the partner's test tools write.
#include "promise.hpp"

#include "plugins/junit/junit_summary.hpp"
#include "plugins/junit/tap_conversion.hpp"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace outpost;
  static const int from = ::memfd_create("out.tap", MFD_CLOEXEC), to = ::memfd_create("out.xml", MFD_CLOEXEC);
  for (const int file : {from, to}) fuzz::promise(::ftruncate(file, 0) == 0 && ::lseek(file, 0, SEEK_SET) == 0, "a file can be emptied");
  fuzz::promise(::pwrite(from, data, size, 0) == static_cast<ssize_t>(size), "the input can be written");

  const auto converted = junit::convert_tap(from, "out.tap", to, "out", {.bytes = 64 << 10, .line = 200, .details = 300, .subtest = 4 << 10, .depth = 4});
  fuzz::promise(converted.has_value(), "a document that can be read is converted");
  if (!converted->problem.empty()) fuzz::promise_message(converted->problem);
  for (const auto& note : converted->notes) fuzz::promise_message(note);

  fuzz::promise(::lseek(to, 0, SEEK_SET) == 0, "what was made can be read");
  const auto summary = junit::read_junit(to, "out.xml");
  fuzz::promise(summary && summary->well_formed && summary->is_junit && !summary->namespaced, "what was made is JUnit");
  fuzz::promise(summary->total > 0, "a document is never nothing: without tests it is skipped or an error");
  if (!converted->problem.empty()) fuzz::promise(summary->errors > 0, "a document that is not read to its end is an error");
  return 0;
}
