#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outpost::cli {

using StageDurations = std::map<std::string, std::chrono::milliseconds>;  ///< By stage.

/// What `outpost top` shows, as of one moment.
struct TopFacts {
  Timestamp now{};
  std::string trouble;         ///< Why there is no status; then the rest is as it was when there was one.
  boost::json::object status;  ///< Of the local API.
  std::map<std::string, StageDurations> usual;  ///< By job name: the median of each stage.
  std::string job_id;                           ///< The running job that is shown in full; empty: none runs.
  std::string step_id;                          ///< Of which the log is; empty: none.
  std::vector<std::string> log;                 ///< Its last lines, printable.
};

/// How long each stage usually takes: the median over the newest 20 jobs of this name in which it went well. `jobs` are
/// summaries of the local API, the newest first.
[[nodiscard]] StageDurations usual_durations(const boost::json::array& jobs, const std::string& name);

/// Asks a daemon for these facts, the history only when other jobs run than the time before.
class TopAsker {
 public:
  explicit TopAsker(std::filesystem::path socket) : socket_{std::move(socket)} {}

  /// `chosen` is the place of the job among those that run, whatever it is; so many lines of the log.
  void ask(TopFacts& facts, std::size_t chosen, std::size_t log_lines);

 private:
  void ask_history(TopFacts& facts);
  void ask_log(TopFacts& facts, std::size_t log_lines);

  std::filesystem::path socket_;
  std::string known_;  ///< The jobs that ran when the history was read.
};

/// The running job at this place, counted round and round; null when none runs.
[[nodiscard]] const boost::json::object* chosen_job(const boost::json::object& status, std::size_t chosen);

}  // namespace outpost::cli
