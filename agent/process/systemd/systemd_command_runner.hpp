#pragma once

#include "agent/base/descriptor.hpp"
#include "agent/process/command_runner.hpp"
#include "agent/process/systemd/descriptor_store.hpp"
#include "agent/process/systemd/service_manager.hpp"
#include "agent/process/systemd/slot_directory.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <type_traits>

namespace outpost::process {

/// Runs each command as the unit outpost-step@<slot>.service, or outpost-step-<profile>@<slot>.service: as the slot's
/// user, in the unit's sandbox and limits. The units are templates that root has installed, and a polkit rule lets this
/// program's user start, stop, limit and signal their instances, and nothing else.
///
/// * The command outlives this program: its output waits in a FIFO whose read end systemd keeps too, and its report in
///   the slot's directory, until the next command of the slot. adopt() finds it, in the same boot.
/// * Deadline and grace are kept here. Cancelled and TimedOut mean that everything got SIGTERM, and SIGKILL after the
///   grace. When the command has ended by itself, what it left in the background has 0.2 s, then it is killed and
///   counted. No process is left when run() returns: systemd has seen the control group empty. That holds for a command
///   too whose start has failed half-way, or was never confirmed: it is asked to end, and what it did by itself counts.
/// * While systemd cannot be asked, because its bus is restarted, a command waits to be started, as long as it may take and
///   two minutes at most.
/// * Limits count for this command alone, and only where they are stricter than those of the unit, which it has again
///   afterwards, also those that an administrator has given it alone, and also when the command has outlived an agent.
/// * Lost: processes that no signal ends, a unit that ended without a word, or one that may have been started, of which
///   systemd cannot be asked.
class SystemdCommandRunner final : public CommandRunner {
 public:
  struct Options {
    std::filesystem::path slots = "/run/outpost/slots";  ///< As the units have it.
    /// How long after SIGKILL processes may stay before they count as lost, and how long systemd may be away before a
    /// command does whose start has failed, and that may run all the same.
    std::chrono::milliseconds patience = std::chrono::seconds{90};
    /// Hears what people may want to find in the log, one line each: when a command begins to wait for systemd, and,
    /// once for each, limits that do not count.
    std::function<void(const std::string& line)> log = [](const std::string&) {};
    /// Of the users of all slots; nothing: each slot's is outpost-job-<slot>.
    std::optional<gid_t> group = std::nullopt;
    Stored stored = {};  ///< What systemd has kept for this process: the outputs of commands that have outlived an earlier one.
  };
  SystemdCommandRunner(boost::asio::any_io_executor executor, Options options);
  ~SystemdCommandRunner() override;

  boost::asio::awaitable<Result<Finished>> run(Command command, Output& output) override;
  [[nodiscard]] bool overlaps() const override { return false; }
  [[nodiscard]] bool outlives() const override { return true; }
  boost::asio::awaitable<Left> look_for(Command command) override;
  boost::asio::awaitable<Result<Finished>> adopt(Command command, Output& output) override;
  [[nodiscard]] Result<std::optional<gid_t>> group_of(unsigned slot) const override;
  boost::asio::awaitable<bool> is_part_of(Command command, pid_t process) override;
  [[nodiscard]] std::optional<std::filesystem::path> private_directory(unsigned slot) const override { return options_.slots / std::to_string(slot); }
  [[nodiscard]] std::string_view name() const override { return "systemd"; }

  /// For a program that has to go and may not leave its commands: SIGKILL to all. Returns when none is left, or has been
  /// for five seconds; at once when systemd, who alone could do it, cannot be asked.
  boost::asio::awaitable<void> end_all();

 private:
  struct Step;
  /// What `ask` makes is awaited, again and again while systemd cannot be asked. It may be done more than once.
  template <class Ask>
  boost::asio::awaitable<typename std::invoke_result_t<Ask>::value_type> patiently(Step& step, Ask ask);
  boost::asio::awaitable<Result<void>> start(Step& step);
  boost::asio::awaitable<Result<void>> ask_to_start(Step& step);
  boost::asio::awaitable<Result<void>> make_ready(Step& step);
  boost::asio::awaitable<Result<void>> clear(Step& step);
  boost::asio::awaitable<Result<void>> limit(const Step& step, Limits limits);
  static SlotLimits known_limits(const Step& step, const ServiceManager::LimitValues& present);
  boost::asio::awaitable<void> give_limits_back(const Step& step);
  void tell_outranked(const Step& step, const ServiceManager::LimitValues& own);
  boost::asio::awaitable<Result<void>> apply(const Step& step, Limits limits);
  boost::asio::awaitable<Result<Finished>> attend(Step& step, Output& output);
  boost::asio::awaitable<Result<Finished>> supervise(Step& step);
  boost::asio::awaitable<Stops> await_end(Step& step);
  [[nodiscard]] static std::chrono::milliseconds dying_time(const Step& step);
  boost::asio::awaitable<Result<ServiceManager::State>> latest_state(std::string unit, std::optional<ServiceManager::State>& seen);
  boost::asio::awaitable<void> signal(std::string unit, int signal);
  boost::asio::awaitable<Result<Finished>> finished(Step& step, Stops stops);
  boost::asio::awaitable<std::string> how_unit_ended(std::string unit, const StepReport& report);
  boost::asio::awaitable<void> clean_up(const Step& step);
  boost::asio::awaitable<bool> await_down(std::string unit, std::chrono::steady_clock::time_point give_up);
  Result<std::unique_ptr<Step>> make_step(Command command) const;

  boost::asio::any_io_executor executor_;
  Options options_;
  ServiceManager systemd_;
  std::set<std::string> attended_;  ///< The units of commands that run() or adopt() has in hand.
  std::set<std::string> ended_;     ///< Units that have run a command of this process last, and have ended well.
  std::set<std::string> told_limits_;  ///< That do not count, and that the log has heard of.
  std::set<std::string> unlimited_;  ///< Units for which no limits were ever set in this boot.
};

/// Why steps cannot be run as units here, for people; empty when they can: systemd runs this machine, and has started
/// this program, and polkit and the units are installed.
[[nodiscard]] std::string why_not_systemd();

/// "outpost-step@3.service", "outpost-step-offline@3.service". malformed: no profile has such a name.
[[nodiscard]] Result<std::string> unit_of(const std::string& profile, unsigned slot);

}  // namespace outpost::process
