#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/workers.hpp"
#include "agent/job/story.hpp"
#include "agent/journal/journal.hpp"
#include "agent/pipeline/usage_watch.hpp"
#include "agent/process/usage.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace outpost::daemon {

/// Has every step of a job measured while it runs: <jobs>/<job id>/usage/<step id>.txt (usage_watch.hpp). It learns from
/// the journal what runs, like everybody who only looks on, so the job never waits for it.
class UsageKeeper {
 public:
  /// What it stands on; everything outlives it.
  struct Ports {
    boost::asio::any_io_executor executor;
    journal::Journal& journal;
    Workers& workers;
    const Clock& clock;
  };
  /// How a step can be measured, or nothing when it does not run yet.
  using Find = std::function<process::Probe(const job::Story& story, const std::string& step_id)>;
  /// Bytes in the workspace of a job, as far as somebody knows.
  using Workspace = std::function<std::optional<std::uint64_t>(const std::string& job_id)>;

  /// `times`: how often it looks; of the file only the folder counts.
  UsageKeeper(Ports ports, std::filesystem::path jobs_directory, Find find, Workspace workspace,
              pipeline::UsageWatch::Options times = {});

  [[nodiscard]] std::size_t running() const { return running_.size(); }

 private:
  void hear(const job::Event& event);
  void begin(const job::Event& event);
  const job::Story* story_of(const std::string& job_id);

  Ports ports_;
  std::filesystem::path jobs_directory_;
  Find find_;
  Workspace workspace_;
  pipeline::UsageWatch::Options times_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<pipeline::UsageWatch>> running_;  ///< By job and step.
  std::map<std::string, job::Story> stories_;  ///< By job, as far as find_ needs them; read once.
  std::shared_ptr<void> subscription_;
};

}  // namespace outpost::daemon
