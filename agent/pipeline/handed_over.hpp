#pragma once

#include "agent/base/descriptor.hpp"
#include "agent/base/result.hpp"
#include "agent/job/told.hpp"
#include "agent/log/redactor.hpp"
#include "agent/pipeline/collector.hpp"
#include "agent/pipeline/job_directory.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace outpost::pipeline {

/// Copies an open file of a stranger into <handed_over>/<name>, as it is now but without secrets, and syncs it. malformed: it is no regular
/// file, or cannot be read, or lies where reading may never end. refused: it has more bytes than `limit`. Blocks.
[[nodiscard]] Result<job::Blob> keep_copy(const Descriptor& file, const JobDirectory& directory, const std::string& step_id,
                                          const std::string& name, std::uint64_t limit, log::Redactor& redactor);

/// Removes such a copy again.
void drop_copy(const JobDirectory& directory, const job::Blob& blob);

/// The cases that a step has reported, as a JUnit file of that name; on the disk when it returns. `suite` is what cases
/// without one are in. Blocks.
[[nodiscard]] Result<FoundResult> write_reported(const std::map<job::Told::CaseName, job::ReportedCase>& cases, const std::string& suite,
                                                 const JobDirectory& directory, const std::string& step_id, const std::string& name);

/// Adds a text to those that are hidden in the job's logs. Synced when it returns. Blocks.
[[nodiscard]] Result<void> remember_hidden(const JobDirectory& directory, const std::string& text);
/// All of them, in order.
[[nodiscard]] std::vector<std::string> hidden_texts(const JobDirectory& directory);

}  // namespace outpost::pipeline
