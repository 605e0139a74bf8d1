#pragma once

#include "agent/job/story.hpp"
#include "agent/journal/journal.hpp"
#include "agent/pipeline/collector.hpp"

#include <filesystem>
#include <optional>

namespace outpost::pipeline {

/// The results of the job before this one, for the comparison that the control server makes too (DCI protocol §6): the
/// newest earlier job that was claimed, with the same source, topic, name, configuration and url. Nothing when the journal
/// has none (any more). Blocks for a few index look-ups.
[[nodiscard]] Result<std::optional<PreviousResults>> find_previous_results(journal::Journal& journal, const job::Story& story,
                                                                           const std::filesystem::path& jobs_directory);

}  // namespace outpost::pipeline
