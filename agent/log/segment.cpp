#include "agent/log/segment.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/sync.hpp"

#include <boost/json/array.hpp>

#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

namespace outpost::log {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr int level = 3;  // zstd's own choice: as small as gzip makes it, ten times faster.

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct FreeDecompressor {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

/// Writes what the compressor gives, and hashes it.
class PackedFile {
 public:
  PackedFile(const File& plain, std::uint64_t size, const File& packed) : plain_{plain}, packed_{packed} {
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setPledgedSrcSize(context_.get(), size);
    left_ = size;
  }

  /// Empty, or what went wrong.
  std::string run() {
    do {
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in_.size()));
      if (plain_.read(read_, std::span{in_}.first(wanted)) != wanted) return "it is shorter than it was";
      read_ += wanted;
      left_ -= wanted;
      if (auto problem = compress({in_.data(), wanted, 0}); !problem.empty()) return problem;
    } while (left_ > 0);
    return {};
  }

  [[nodiscard]] std::uint64_t size() const { return written_; }
  [[nodiscard]] std::string hash() { return hash_.hex(); }

 private:
  std::string compress(ZSTD_inBuffer input) {
    for (std::size_t more = 1; more > 0 || input.pos < input.size;) {
      ZSTD_outBuffer output{out_.data(), out_.size(), 0};
      more = ZSTD_compressStream2(context_.get(), &output, &input, left_ == 0 ? ZSTD_e_end : ZSTD_e_continue);
      if (ZSTD_isError(more)) return ZSTD_getErrorName(more);
      const std::string_view bytes{out_.data(), output.pos};
      if (packed_.write(written_, bytes) != bytes.size())
        return std::string{"its compressed form: "} + std::strerror(errno);
      hash_.update(bytes);
      written_ += bytes.size();
      if (left_ > 0 && input.pos == input.size) break;
    }
    return {};
  }

  const File& plain_;
  const File& packed_;
  std::unique_ptr<ZSTD_CCtx, FreeCompressor> context_{ZSTD_createCCtx()};
  std::vector<char> in_ = std::vector<char>(ZSTD_CStreamInSize()), out_ = std::vector<char>(ZSTD_CStreamOutSize());
  std::uint64_t read_ = 0, left_ = 0, written_ = 0;
  Sha256 hash_;
};

}  // namespace

Result<job::Blob> Segment::pack() const {
  const auto from = place.segment(begin), to = place.packed(begin);
  const auto plain = File::open(from, O_RDONLY);
  if (!plain.is_open()) return errno_error("cannot open the segment", from.string(), errno);
  const auto packed = File::open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!packed.is_open()) return errno_error("cannot create", to.string(), errno);
  PackedFile packing{plain, size, packed};
  auto problem = packing.run();
  if (problem.empty() && !packed.sync()) problem = std::strerror(errno);
  if (!problem.empty()) {
    ::unlink(to.c_str());
    return Error{Fault::retry_later, "cannot compress the segment " + from.string() + ": " + problem};
  }
  return job::Blob{.path = place.packed_name(begin),
                   .sha256 = packing.hash(),
                   .size = packing.size(),
                   .mime = "text/plain",
                   .codec = "zstd",
                   .range = {}};
}

void Segment::remove_plain() const { ::unlink(place.segment(begin).c_str()); }

Result<void> sync_for_naming(const Place& place) {
  const auto log = File::open(place.log(), O_RDONLY);
  // A segment may well end before its redacted log begins.
  if (!log.is_open() && errno != ENOENT) return errno_error("cannot open the log file", place.log().string(), errno);
  if (log.is_open() && !log.sync()) return errno_error("cannot sync the log file", place.log().string(), errno);
  return sync_directory(place.directory());
}

namespace {

/// Segments of a step that are not compressed and had better be.
std::vector<SegmentFile> left_over(const Place& place) {
  constexpr std::uint64_t worth_it = std::uint64_t{64} * 1024;
  auto files = segment_files(place);
  std::erase_if(files, [](const auto& file) { return file.packed || file.bytes < worth_it; });
  return files;
}

}  // namespace

bool has_left_over(const std::vector<Segment>& steps) {
  return std::any_of(steps.begin(), steps.end(), [](const Segment& step) { return !left_over(step.place).empty(); });
}

std::vector<PackedSegment> pack_left_over(const std::vector<Segment>& steps) {
  std::vector<PackedSegment> packed;
  for (const auto& step : steps) {
    std::vector<PackedSegment> of_step;
    for (const auto& file : left_over(step.place)) {
      const Segment segment{step.place, file.begin, file.bytes, step.redacted, {}};
      if (auto blob = segment.pack()) of_step.push_back({segment, std::move(*blob)});
    }
    if (of_step.empty()) continue;
    if (sync_for_naming(step.place)) std::move(of_step.begin(), of_step.end(), std::back_inserter(packed));
  }
  return packed;
}

json::object to_json(const Redactor::State& state) {
  json::array hidden;
  for (const auto& run : state.hidden)
    hidden.push_back(json::array{static_cast<std::int64_t>(run.begin), static_cast<std::int64_t>(run.end)});
  return {{"held", state.held}, {"after_mask", state.after_mask}, {"hidden", std::move(hidden)}};
}

Redactor::State redactor_state_from_json(const json::object& json) {
  const auto held = job::number_at(json, "held");
  if (held < 0) return {};
  Redactor::State state{static_cast<std::size_t>(held), job::flag_at(json, "after_mask"), {}};
  const auto* hidden = json.if_contains("hidden");
  if (!hidden || !hidden->is_array()) return state;
  std::size_t at = 0;
  for (const auto& run : hidden->get_array()) {
    if (!run.is_array() || run.get_array().size() != 2) return {};
    const auto* begin = run.get_array()[0].if_int64();
    const auto* end = run.get_array()[1].if_int64();
    if (!begin || !end || *begin < static_cast<std::int64_t>(at) || *end <= *begin || *end > held) return {};
    at = static_cast<std::size_t>(*end) + 1;  // Runs do not touch.
    state.hidden.push_back({static_cast<std::size_t>(*begin), static_cast<std::size_t>(*end)});
  }
  return state;
}

struct SegmentReader::Decoder {
  std::unique_ptr<ZSTD_DCtx, FreeDecompressor> context{ZSTD_createDCtx()};
  std::vector<char> bytes = std::vector<char>(ZSTD_DStreamInSize());
  ZSTD_inBuffer input{bytes.data(), 0, 0};
  bool whole = false;  ///< The last frame has ended.
  bool more = false;   ///< It may have bytes left that did not fit.

  // What we have written needs no larger window, and a damaged file shall not take more memory.
  Decoder() { ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 24); }
};

SegmentReader::SegmentReader(File file, std::string name, std::unique_ptr<Decoder> decoder)
    : file_{std::move(file)}, name_{std::move(name)}, decoder_{std::move(decoder)} {}
SegmentReader::SegmentReader(SegmentReader&&) noexcept = default;
SegmentReader& SegmentReader::operator=(SegmentReader&&) noexcept = default;
SegmentReader::~SegmentReader() = default;

Result<SegmentReader> SegmentReader::open(const Place& place, const SegmentFile& file) {
  const auto path = file.packed ? place.packed(file.begin) : place.segment(file.begin);
  auto opened = File::open(path, O_RDONLY);
  if (!opened.is_open()) return errno_error("cannot open the segment", path.string(), errno);
  return SegmentReader{std::move(opened), path.string(), file.packed ? std::make_unique<Decoder>() : nullptr};
}

Result<std::size_t> SegmentReader::read(std::span<char> into) {
  if (!decoder_) {
    const auto size = file_.read(offset_, into);
    if (size == 0 && errno != 0) return errno_error("cannot read the segment", name_, errno);
    offset_ += size;
    return size;
  }
  ZSTD_outBuffer output{into.data(), into.size(), 0};
  while (output.pos == 0) {
    auto& input = decoder_->input;
    if (input.pos == input.size && !decoder_->more) {
      errno = 0;
      input.size = file_.read(offset_, std::span{decoder_->bytes});
      input.pos = 0;
      offset_ += input.size;
      if (input.size == 0 && errno != 0) return errno_error("cannot read the segment", name_, errno);
      if (input.size == 0 && decoder_->whole) return std::size_t{0};
      if (input.size == 0) return Error{Fault::malformed, "the segment " + name_ + " is torn: its end is missing"};
    }
    const auto rest = ZSTD_decompressStream(decoder_->context.get(), &output, &input);
    if (ZSTD_isError(rest))
      return Error{Fault::malformed, "the segment " + name_ + " is damaged: " + ZSTD_getErrorName(rest)};
    decoder_->whole = rest == 0;
    decoder_->more = output.pos == output.size;
  }
  return output.pos;
}

Result<void> SegmentReader::skip(std::uint64_t bytes) {
  if (!decoder_) {
    offset_ += bytes;
    return {};
  }
  std::vector<char> thrown(std::size_t{64} * 1024);
  while (bytes > 0) {
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, thrown.size()));
    const auto size = read(std::span{thrown}.first(part));
    if (!size) return size.error();
    if (*size == 0) return Error{Fault::malformed, "the segment " + name_ + " is shorter than it should be"};
    bytes -= *size;
  }
  return {};
}

std::uint64_t SegmentReader::promised_size(const fs::path& packed) {
  const auto file = File::open(packed, O_RDONLY);
  std::array<char, 18> head{};  // The largest head of a frame (RFC 8878 §3.1.1).
  const auto size = file.is_open() ? file.read(0, head) : 0;
  const auto promised = ZSTD_getFrameContentSize(head.data(), size);
  return promised == ZSTD_CONTENTSIZE_UNKNOWN || promised == ZSTD_CONTENTSIZE_ERROR ? 0 : promised;
}

namespace {

/// Which of the files that begin at one place is the segment; the others go.
Segments::Part choose(const Place& place, std::span<const SegmentFile> files, const job::LogSegment* named) {
  const SegmentFile& first = files.front();
  const SegmentFile& last = files.back();
  const bool as_named = named && last.packed && last.bytes == named->blob.size;
  if (first.packed) return {first, as_named ? named->size : SegmentReader::promised_size(place.packed(first.begin))};
  if (as_named) {
    ::unlink(place.segment(first.begin).c_str());
    return {last, named->size};
  }
  if (last.packed) ::unlink(place.packed(last.begin).c_str());
  return {first, first.bytes};
}

}  // namespace

Segments reconcile(const Place& place, const std::vector<job::LogSegment>& named) {
  const auto files = segment_files(place);
  Segments segments;
  for (std::size_t at = 0; at < files.size();) {
    const std::size_t count = at + 1 < files.size() && files[at + 1].begin == files[at].begin ? 2 : 1;
    const auto is_it = [&](const auto& segment) { return segment.begin == files[at].begin; };
    const auto event = std::find_if(named.begin(), named.end(), is_it);
    segments.parts.push_back(
        choose(place, std::span{files}.subspan(at, count), event == named.end() ? nullptr : &*event));
    at += count;
  }
  for (const auto& segment : named) {
    const auto is_it = [&](const auto& part) { return part.file.begin == segment.begin; };
    if (segment.freed || std::any_of(segments.parts.begin(), segments.parts.end(), is_it)) continue;
    segments.problems.push_back("the segment " + segment.blob.path + " of " + std::to_string(segment.size) +
                                " bytes of output is named by the journal, but is not there");
  }
  return segments;
}

}  // namespace outpost::log
