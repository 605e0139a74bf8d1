#pragma once

#include "agent/job/event.hpp"
#include "agent/job/job.hpp"
#include "agent/job/told.hpp"
#include "agent/job/verdict.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace outpost::job {

struct ResultTotals {
  std::int64_t total = 0, success = 0, failures = 0, errors = 0, skips = 0;
  std::int64_t flaky = 0;  ///< Of the successes: those that passed only when they were run again.
};
/// "5 tests: 3 passed (1 flaky), 1 failed, 0 errors, 1 skipped"
[[nodiscard]] std::string describe(const ResultTotals& totals);

struct StageRecord {
  Stage stage = Stage::acquire;
  bool ended = false;
  std::string outcome;
  Timestamp started_at{}, ended_at{};
};

/// A closed and compressed part of the raw output of a step.
struct LogSegment {
  std::uint64_t begin = 0, size = 0;  ///< In the raw stream, bytes.
  std::uint64_t redacted = 0;         ///< So far the redacted log reached at its end.
  boost::json::object redactor;       ///< What the redactor needs to go on from there.
  Blob blob;                          ///< Its file.
  bool freed = false;                 ///< Given up to make room.
};

struct StepRecord {
  std::string id;
  Stage stage = Stage::acquire;
  std::string plugin, hook;
  bool ended = false;
  StepEnding ending;
  std::uint64_t cut_bytes = 0;  ///< So much of the redacted output has been named by events.
  unsigned cuts = 0;
  std::int64_t workspace_peak = 0;  ///< Bytes; 0 when nobody looked.
  bool last_cut = false;
  unsigned tasks = 0;              ///< Of those that it told of so many have ended...
  unsigned tasks_started = 0;      ///< ...and so many have begun.
  std::uint64_t task_stream = 0;   ///< Bytes of its report that events tell of.
  std::uint64_t task_output = 0;   ///< Bytes of the output of its tasks that events name.
  std::map<std::string, unsigned> tasks_alike;  ///< How many ended, by task_likeness().
  std::vector<LogSegment> segments;  ///< By their beginning.
  int attempt = 1;
  Timestamp started_at{}, ended_at{};
  std::string boot_id;  ///< Of the machine when it started.
  std::chrono::nanoseconds started_since_boot{};
  std::chrono::milliseconds timeout{};  ///< From its start, as the step has moved it since.
  Told told;                            ///< By itself, while it ran.
  std::string rebooting;  ///< The boot in which it ended and had the machine restarted; empty: it had not.
};

/// Where a job stands: the fold of its events. Recovery, reporters, the status page: everybody asks this.
struct Story {
  Job job;
  bool backlog = false;
  std::vector<std::string> reporters;
  Timestamp queued_at{}, claimed_at{}, ended_at{};
  std::string claim_id;   ///< Set once the claim was asked for.
  bool claiming = false;  ///< It was asked for, and neither granted nor postponed.
  unsigned slot = 0;      ///< The slot that it got with the claim; 0 before.
  Claim claim;            ///< external_ref is set once it was granted.
  std::string remote_url;
  boost::json::object document;  ///< The job as its source described it at the claim.
  std::optional<std::vector<TakenPlugin>> plugins;  ///< Once they were taken.
  std::vector<StageRecord> stages;
  std::vector<StepRecord> steps;
  std::vector<std::string> result_names;
  std::vector<std::string> artifact_names;
  std::vector<std::string> tags;
  ResultTotals totals;
  bool cancel_requested = false;
  std::string cancel_by, cancel_reason;
  std::optional<Judgement> failing;  ///< What has failed in a job that goes on.
  std::optional<Judgement> judgement;
  std::vector<std::string> warnings;
  std::map<std::string, std::string> environment;  ///< Which steps have set for those that follow.
  std::set<std::string> locks;                     ///< Which steps have taken for the job.
  unsigned reboots = 0;                            ///< So often steps have had the machine restarted.
  std::string aborted;                             ///< Why a step wants the job to end; empty: none does.
  std::optional<std::string> held;  ///< Why it is not to be claimed until it is released.
  bool history_lost = false;  ///< The journal may have lost events of it: what it has not got may have happened.
  bool ended = false;
  std::string withdrawn;  ///< Why it ended before it was claimed.
  Seq last_seq = 0;

  /// Takes the next event of the same job into account; events of other jobs and unknown types change nothing.
  void apply(const Event& event);

  [[nodiscard]] const StageRecord* stage(Stage stage) const;
  [[nodiscard]] StepRecord* step(std::string_view id);
  [[nodiscard]] const StepRecord* step(std::string_view id) const;
  [[nodiscard]] bool started(Stage stage) const { return this->stage(stage) != nullptr; }
  /// "waiting", "claiming", "running: install", "success"...
  [[nodiscard]] std::string describe() const;
};

/// Equal for tasks that a server could take for each other: of the same name and result, with as much output.
[[nodiscard]] std::string task_likeness(const Event& task_ended);

[[nodiscard]] Story replay(const std::vector<Event>& events);

}  // namespace outpost::job
