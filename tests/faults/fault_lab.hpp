#pragma once

#include "agent/job/event.hpp"
#include "faults/figures.hpp"
#include "integration/job_content.hpp"
#include "integration/sample_lab.hpp"
#include "support/fault_proxy.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace outpost::test {

/// Lines that never repeat, so that whatever is lost, doubled or swapped shows. Always the same for one seed.
[[nodiscard]] std::string payload(std::size_t size, unsigned seed = 1);

/// A lab whose agent reaches the server through a network that can fail.
class FaultLab : public SampleLab {
 public:
  FaultLab() : FaultLab{Options{}} {}
  explicit FaultLab(Options options);

  /// As SampleLab's, with the server's address that of `network`.
  void configure(const std::string& job = "", const std::string& top = "", const std::string& source = "");

  /// A hook that prints `output` in pieces of `piece` bytes with pauses, and creates the file <stage>.begun after the
  /// first and <stage>.printed after the last one. What it has printed so far is in <stage>.out.
  void printing_hook(const std::string& stage, const std::string& output, std::size_t piece,
                     std::chrono::milliseconds pause);
  [[nodiscard]] bool has(const std::string& file) const { return std::filesystem::exists(directory.path / file); }

  /// The only job's id at the server.
  std::string the_job();
  /// Its last state; "" while there is none.
  std::string last_state();
  /// Bytes of a step's output ("install.acme") that the agent has on disk.
  [[nodiscard]] std::uint64_t taken_from_pipe(const std::string& step_id) const;
  /// Processes that have something to do with this lab, without the server and the agent.
  [[nodiscard]] Names orphans();
  /// Why polling fails; waits until it does.
  std::string polling_error();
  /// Alarms of one kind, their messages.
  Names alarms(const std::string& kind);

  FaultProxy network;
};

/// The events of the agent's journal, which nobody else has open.
[[nodiscard]] std::vector<job::Event> events_of(const FaultLab& lab);

/// Processor time that a process has used.
[[nodiscard]] double processor_seconds(pid_t pid);

/// Memory of a process: how far its peak goes beyond what it had at the beginning.
class MemoryGrowth {
 public:
  explicit MemoryGrowth(pid_t pid);
  [[nodiscard]] std::int64_t bytes() const;
  [[nodiscard]] std::int64_t peak() const;

 private:
  pid_t pid_;
  std::int64_t start_;
};

/// Lost and doubled bytes and items of a job, judged at the server; printed as figures, which must be 0. `logs` are
/// steps with the output that they have printed.
void check_nothing_lost(const std::string& fault, FaultLab& lab, const JobContent& content,
                        const std::map<std::string, std::string>& logs);

}  // namespace outpost::test
