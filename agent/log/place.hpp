#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace outpost::log {

/// Where the output of one step is kept, below <job directory>/<folder>, which exists:
///
///   <step>.raw.<offset>      every byte as it came, mode 0600: a segment, named with the offset of its first byte
///   <step>.raw.<offset>.zst  the same, once it is closed and compressed
///   <step>.log               the redacted log, mode 0640
///   <step>.times             when its lines came (time_index.hpp), mode 0640
///
/// A step without output has none of them.
struct Place {
  std::filesystem::path job_directory;
  std::string folder = "logs";
  std::string step;

  [[nodiscard]] std::filesystem::path directory() const { return job_directory / folder; }
  [[nodiscard]] std::filesystem::path log() const { return job_directory / log_name(); }
  [[nodiscard]] std::filesystem::path times() const { return directory() / (step + ".times"); }
  [[nodiscard]] std::filesystem::path segment(std::uint64_t begin) const { return job_directory / segment_name(begin); }
  [[nodiscard]] std::filesystem::path packed(std::uint64_t begin) const { return job_directory / packed_name(begin); }

  // As events name them: relative to the job's directory.
  [[nodiscard]] std::string log_name() const { return folder + "/" + step + ".log"; }
  [[nodiscard]] std::string segment_name(std::uint64_t begin) const;
  [[nodiscard]] std::string packed_name(std::uint64_t begin) const { return segment_name(begin) + ".zst"; }
};

/// A segment as it lies on the disk.
struct SegmentFile {
  std::uint64_t begin = 0;  ///< In the raw stream.
  std::uint64_t bytes = 0;  ///< Of the file.
  bool packed = false;
};

/// The segments of a step that are there, by their beginning, plain before packed.
[[nodiscard]] std::vector<SegmentFile> segment_files(const Place& place);

}  // namespace outpost::log
