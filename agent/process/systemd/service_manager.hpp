#pragma once

#include "agent/bus/bus.hpp"
#include "agent/process/command.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outpost::process {

using bus::Bus;
using bus::Message;

/// systemd, as its D-Bus interface shows it (org.freedesktop.systemd1(5)); faults as Bus::call() has them.
class ServiceManager {
 public:
  explicit ServiceManager(boost::asio::any_io_executor executor);

  struct State {
    std::string active;    ///< "inactive", "activating", "active", "deactivating", "failed"
    std::string sub;       ///< "running", "stop-sigterm", "dead"...
    std::string load;      ///< "loaded", "not-found"...
    bool has_job = false;  ///< It is about to start or to stop.

    /// Nothing runs, and nothing is about to.
    [[nodiscard]] bool is_down() const { return !has_job && (active == "inactive" || active == "failed"); }
  };
  boost::asio::awaitable<Result<State>> state(std::string unit);

  /// The unit that this process runs in. `limit`: for the answer.
  boost::asio::awaitable<Result<std::string>> own_unit(std::chrono::microseconds limit = bus::usual_limit);
  /// Whether a process is one of the unit's; not, too, when nobody can say.
  boost::asio::awaitable<bool> is_in(std::string unit, pid_t process);
  /// What systemd is about to do with a unit: "stop", "restart"...; empty: nothing. `limit`: for the answer.
  boost::asio::awaitable<Result<std::string>> job(std::string unit, std::chrono::microseconds limit = bus::usual_limit);
  /// How long a service may take to stop; nothing: for ever.
  boost::asio::awaitable<Result<std::optional<std::chrono::microseconds>>> stop_limit(std::string unit);

  /// Why a service ended, in systemd's words: "status 217", "signal 9", "resources".
  boost::asio::awaitable<std::string> describe_end(std::string unit);

  /// Whether anything can be sent to it; retry_later: there is no bus.
  Result<void> reach();
  boost::asio::awaitable<Result<void>> start(std::string unit);
  boost::asio::awaitable<Result<void>> stop(std::string unit);
  boost::asio::awaitable<Result<void>> reset_failed(std::string unit);
  /// To every process of the unit.
  boost::asio::awaitable<Result<void>> kill(std::string unit, int signal);

  /// Limits as systemd counts them, by the names of its properties.
  using LimitValues = std::map<std::string, std::uint64_t>;
  boost::asio::awaitable<Result<LimitValues>> limits(std::string unit);
  /// Whether set_limits() was ever called for it, in this boot and by whomever.
  boost::asio::awaitable<Result<bool>> has_set_limits(std::string unit);
  /// Until they are set again, or the machine is restarted.
  boost::asio::awaitable<Result<void>> set_limits(std::string unit, LimitValues values);

  /// Changes of a unit's state: the last is in `seen` when `changed` is notified of it, unless it has to be asked for.
  Result<Bus::Watch> watch(const std::string& unit, Wakeup& changed, std::optional<State>& seen);

 private:
  /// The object of the unit that a process is in; 0: whoever asks.
  boost::asio::awaitable<Result<std::string>> unit_path_of(pid_t process, std::chrono::microseconds limit = bus::usual_limit);
  struct Properties {
    std::map<std::string, std::string> texts;
    std::map<std::string, std::uint64_t> numbers;
  };
  /// The next argument of a message, an a{sv}; nothing: it is none.
  static std::optional<Properties> read_properties(sd_bus_message* message);
  /// Of the object at `path`; `name` is for messages.
  boost::asio::awaitable<Result<Properties>> properties(std::string path, std::string name, const char* interface, std::chrono::microseconds limit = bus::usual_limit);
  boost::asio::awaitable<Result<Properties>> service_properties(std::string unit);
  /// A call of the manager that is about `unit` and has no answer but that it was done.
  boost::asio::awaitable<Result<void>> manage(Result<Message> request, std::string unit);

  Bus bus_;
};

/// What a step's limits come to on top of those that its unit has by itself: the stricter one of each.
[[nodiscard]] ServiceManager::LimitValues with_limits(ServiceManager::LimitValues base, const Limits& limits);
/// Which of a step's limits are not the stricter ones, for people: "TasksMax=4096 counts, not 20000".
[[nodiscard]] std::vector<std::string> outranked(const ServiceManager::LimitValues& base, const Limits& limits);

}  // namespace outpost::process
