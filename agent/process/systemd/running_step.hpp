#pragma once

#include "agent/base/descriptor.hpp"
#include "agent/base/wakeup.hpp"
#include "agent/process/systemd/slot_directory.hpp"
#include "agent/process/systemd/systemd_command_runner.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

// What the parts of SystemdCommandRunner share.
namespace outpost::process {

/// Longer than anybody waits, short enough to be added to a time.
constexpr std::chrono::milliseconds for_ever = std::chrono::hours{24 * 3650};

/// How often to look when systemd cannot be asked.
constexpr std::chrono::milliseconds look_again = std::chrono::seconds{1};

inline bool is_cancelled(const boost::asio::cancellation_state& state) {
  return state.cancelled() != boost::asio::cancellation_type::none;
}

inline bool is_limited(const Limits& limits) { return limits.memory || limits.tasks || limits.cpu_percent; }

/// A command that run() or adopt() has in hand.
struct SystemdCommandRunner::Step {
  Step(Command what, std::string unit_name, SlotDirectory slot, const boost::asio::any_io_executor& executor)
      : command{std::move(what)}, unit{std::move(unit_name)}, directory{std::move(slot)}, output{executor}, changed{executor} {}

  /// `stored`: its end that systemd has kept, if there is one.
  Result<void> open_output(Descriptor stored = Descriptor{});

  Command command;
  std::string unit;
  SlotDirectory directory;
  boost::asio::posix::stream_descriptor output;
  Descriptor write_end;  ///< So that the output has no end before the unit has.
  Wakeup changed;
  std::chrono::steady_clock::time_point start_by{};  ///< Or it cannot be started.
  bool inherited = false;  ///< What its unit runs, or ran last, was started by an earlier agent, maybe of an earlier version.
  bool may_run = false;    ///< systemd was asked to start it, and has not said that it did not.
  bool abandoned = false;  ///< It may run though its start has failed: it is only attended to see it end.
  std::optional<SlotDirectory::Stopping> stopping;  ///< An earlier agent had asked the command to end.
  bool ended = false, cancelled = false;
  bool output_lost = false;  ///< See Finished.
  bool down = false;    ///< systemd has said that nothing of it runs.
  bool failed = false;  ///< It then counts as failed: it was not even started, or ran out of memory or time.
};

}  // namespace outpost::process
