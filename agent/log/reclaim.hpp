#pragma once

#include "agent/base/result.hpp"
#include "agent/job/event.hpp"
#include "agent/job/story.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace outpost::log {

/// Something of a job's logs that the disk can have back.
struct Freeable {
  std::string step_id;
  /// What goes, as a log.freed event names it: a whole file (a segment), or with a range the beginning of the redacted
  /// log, whose offsets stay as they are.
  job::Blob blob;
  std::uint64_t bytes = 0;  ///< That the disk gets back.
};

/// What can be freed of a job's logs without losing what a server does not have yet, oldest first: raw segments whose
/// redacted output is delivered and that recovery does not need, then the delivered part of redacted logs.
/// `delivered`: how far each step's redacted log is at every server that wants it, in bytes, by step id; steps that are
/// missing have nothing delivered. Looks at the files: to be called on a worker.
[[nodiscard]] std::vector<Freeable> freeable(const std::filesystem::path& job_directory, const job::Story& story,
                                             const std::map<std::string, std::uint64_t>& delivered);

/// Frees it, and says how many bytes the disk got back; what is gone already is a success. To be called on a worker,
/// once an event log.freed that names the blob is durable.
[[nodiscard]] Result<std::uint64_t> free(const std::filesystem::path& job_directory, const Freeable& what);

}  // namespace outpost::log
