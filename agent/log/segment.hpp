#pragma once

#include "agent/base/result.hpp"
#include "agent/job/event.hpp"
#include "agent/job/story.hpp"
#include "agent/log/file.hpp"
#include "agent/log/place.hpp"
#include "agent/log/redactor.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace outpost::log {

/// A part of the raw stream that is closed, and where the redacted log stood when all of it was in: from such a place
/// the log can be made again without what was before.
struct Segment {
  Place place;
  std::uint64_t begin = 0, size = 0;
  std::uint64_t redacted = 0;
  Redactor::State redactor;

  [[nodiscard]] std::uint64_t end() const { return begin + size; }

  /// Compresses its file into a second one beside it, with a checksum, in constant memory, and syncs that. Blocks: to
  /// be called on a worker; owns what it uses. On an error there is no second file.
  [[nodiscard]] Result<job::Blob> pack() const;
  /// Removes the plain file: once an event names the other one.
  void remove_plain() const;
};

/// Makes sure that an event may name packed segments: their names are on the disk, and the redacted log as far as they
/// reach. Blocks.
[[nodiscard]] Result<void> sync_for_naming(const Place& place);

struct PackedSegment {
  Segment segment;
  job::Blob blob;
};

/// Whether pack_left_over() would find something to pack. Blocks for a look into the directory.
[[nodiscard]] bool has_left_over(const std::vector<Segment>& steps);

/// Packs the plain segments of steps that have ended, where it is worth it, and syncs them for naming. Of each step
/// only `place` and `redacted` are read. What cannot be packed stays as it is. Blocks.
[[nodiscard]] std::vector<PackedSegment> pack_left_over(const std::vector<Segment>& steps);

/// As an event holds it, and back. What is wrong in it gives a state that fits any segment: nothing held.
[[nodiscard]] boost::json::object to_json(const Redactor::State& state);
[[nodiscard]] Redactor::State redactor_state_from_json(const boost::json::object& json);

/// Reads the bytes of a segment, whichever of its two files is there.
class SegmentReader {
 public:
  /// unavailable when the file cannot be opened.
  static Result<SegmentReader> open(const Place& place, const SegmentFile& file);
  SegmentReader(SegmentReader&&) noexcept;
  SegmentReader& operator=(SegmentReader&&) noexcept;
  ~SegmentReader();

  /// The next bytes; 0 at the end. malformed when a compressed file is torn or damaged.
  [[nodiscard]] Result<std::size_t> read(std::span<char> into);
  [[nodiscard]] Result<void> skip(std::uint64_t bytes);
  /// The size that a compressed segment says it has once it is read; 0 when it does not say.
  [[nodiscard]] static std::uint64_t promised_size(const std::filesystem::path& packed);

 private:
  struct Decoder;
  SegmentReader(File file, std::string name, std::unique_ptr<Decoder> decoder);

  File file_;
  std::string name_;
  std::unique_ptr<Decoder> decoder_;  ///< None: a plain file.
  std::uint64_t offset_ = 0;          ///< In the file.
};

/// What the disk holds of a step's raw stream, after files that do not belong there are gone.
struct Segments {
  struct Part {
    SegmentFile file;
    std::uint64_t size = 0;  ///< Of the raw bytes in it.
    [[nodiscard]] std::uint64_t end() const { return file.begin + size; }
  };
  std::vector<Part> parts;            ///< By their beginning.
  std::vector<std::string> problems;  ///< Sentences for people: what an event names and is not there.
};

/// Brings files and events together after a crash. `named` are the segments that events name: their plain file goes.
/// A compressed file beside a plain one, without an event or not as its event says, was not finished: it goes, and can
/// be made again.
[[nodiscard]] Segments reconcile(const Place& place, const std::vector<job::LogSegment>& named);

}  // namespace outpost::log
