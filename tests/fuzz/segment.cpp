// What is on the disk when an agent comes back: segments, redacted log, time index. The first line says how the rest is
// cut up: "CUT NAMED LOG TIMES SEGMENT...", where a SEGMENT is p (plain), z (as it is, for compressed) or c (compressed
// here), followed by a number of bytes, like LOG and TIMES. CUT is how much of the log was sent, NAMED how many of the
// segments events name.
#include "promise.hpp"

#include "agent/base/text.hpp"
#include "agent/log/capture.hpp"
#include "agent/log/log_reader.hpp"
#include "support/temporary_directory.hpp"

#include <charconv>

namespace {

namespace fs = std::filesystem;
using namespace outpost;

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string_view take(std::string_view& rest, std::uint64_t size) {
  const auto part = rest.substr(0, size);
  rest.remove_prefix(part.size());
  return part;
}

struct Disk {
  log::Place place;
  log::Remains remains;
  std::string raw;         ///< All of it, as far as it can be known.
  bool is_plain = true;    ///< Nothing but plain segments.
};

Disk prepare(const fs::path& directory, std::string_view input) {
  Disk disk{.place = {.job_directory = directory, .folder = "logs", .step = "s"}};
  const auto words = split(fuzz::take_line(input), ' ');
  const auto word = [&](std::size_t index) { return index < words.size() ? std::string_view{words[index]} : std::string_view{}; };
  disk.remains.cut_bytes = number(word(0)) % (1 << 20);
  const auto named = number(word(1));
  fs::create_directories(disk.place.directory());
  if (const auto log = take(input, number(word(2))); !log.empty()) test::write_file(disk.place.log(), log);
  if (const auto times = take(input, number(word(3))); !times.empty()) test::write_file(disk.place.times(), times);
  std::uint64_t begin = 0;
  for (std::size_t index = 4; index < words.size() && index < 20; ++index) {
    const auto kind = word(index).substr(0, 1);
    const std::string bytes{take(input, number(word(index).substr(std::min<std::size_t>(1, word(index).size()))))};
    const log::Segment segment{disk.place, begin, bytes.size(), begin / 2, {.held = index}};
    job::LogSegment event{begin, bytes.size(), begin / 2, log::to_json(segment.redactor), {}, false};
    test::write_file(kind == "z" ? disk.place.packed(begin) : disk.place.segment(begin), bytes);
    if (kind == "c") {
      const auto blob = segment.pack();
      fuzz::promise(blob.has_value(), "a segment can be packed");
      event.blob = *blob;
      segment.remove_plain();
    }
    disk.is_plain = disk.is_plain && kind == "p" && !bytes.empty();
    if (index - 4 < named) disk.remains.segments.push_back(event);
    disk.raw += bytes;
    begin += bytes.size();
  }
  return disk;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const SystemClock clock;
  static const test::TemporaryDirectory directory;
  fs::remove_all(directory.path / "logs");
  const auto disk = prepare(directory.path, fuzz::text_of(data, size));
  const auto before = test::read_file(disk.place.log());
  log::Redactor redactor;
  redactor.add("hunter22");

  auto capture = log::Capture::recover(disk.place, redactor, clock, disk.remains);
  if (!capture) {
    fuzz::promise_message(capture.error().message);
    return 0;
  }
  for (const auto& problem : capture->problems()) fuzz::promise_message(problem);
  const auto after = test::read_file(disk.place.log());
  const auto fixed = std::min<std::uint64_t>(disk.remains.cut_bytes, before.size());
  fuzz::promise(after.substr(0, fixed) == before.substr(0, fixed), "what was sent stays");
  if (before.empty() && disk.is_plain && disk.remains.segments.empty())
    fuzz::promise(after == redactor.redact(disk.raw), "the log is the redaction of the raw output");

  auto reader = log::LogReader::open(disk.place);
  if (!reader) return 0;
  std::uint64_t bytes = 0;
  std::optional<Timestamp> last;
  while (const auto line = reader->next()) {
    fuzz::promise(line->offset == bytes, "lines follow each other");
    bytes += line->given_back + line->text.size() + (line->ends && line->given_back == 0 ? 1 : 0);
    fuzz::promise(!last || !line->time || *line->time >= *last, "times never go back");
    if (line->time) last = line->time;
  }
  fuzz::promise(bytes == after.size(), "every byte is in a line");
  return 0;
}
