#pragma once

#include "faults/second_kernel.hpp"

#include "integration/sample_lab.hpp"
#include "support/fault_proxy.hpp"

#include <boost/json/value.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

namespace outpost::test {

/// A lab whose agent lives in the second kernel, with its state on ext4 there.
class MachineLab {
 public:
  /// `size`: of the disk, in bytes.
  explicit MachineLab(std::uint64_t size);

  /// Starts the machine and in it the agent. `before` is bash and runs there first.
  [[nodiscard]] std::unique_ptr<SecondKernel> boot(const std::string& before = "");
  /// Whether the agent has been started since the last boot.
  [[nodiscard]] bool has_started() const { return started_ > 0; }

  // Asked of the machine; each returns when it has been done.
  boost::json::value status();  ///< null while the agent does not answer.
  void make_read_only() { ask("read-only"); }
  void make_writable() { ask("writable"); }
  void set_clock(std::chrono::system_clock::time_point to);
  /// Ends the agent in good order and takes its journal out of the machine, to journal() on this side.
  void stop() { ask("stop"); }
  [[nodiscard]] std::filesystem::path journal() const { return out() / "journal.db"; }

  /// As SampleLab's; what it throws says what the machine and the agent have said.
  void until(const std::string& what, const std::function<bool()>& is_so,
             std::chrono::seconds limit = std::chrono::seconds{180});
  /// Whether the agent has nothing left to do.
  bool is_at_rest();

  [[nodiscard]] std::filesystem::path out() const { return lab.directory.path / "machine"; }
  [[nodiscard]] std::string path(const std::string& name) const { return (lab.directory.path / name).string(); }
  [[nodiscard]] std::string agent_log() const { return read_file(out() / "log"); }

  SampleLab lab;
  FaultProxy network;

 private:
  void ask(const std::string& word);
  /// What the agent says of itself and of what waits to be sent; "" or a complaint when it does not.
  std::string spool();

  std::atomic<int> started_{0};
  std::mutex mutex_;
  std::string asked_;  ///< What the machine is to do next.
  std::atomic<int> done_{0}, latest_{0};
  RawServer control_;
};

}  // namespace outpost::test
