#pragma once

#include "agent/base/wakeup.hpp"
#include "agent/bus/bus.hpp"
#include "agent/control/agent_control.hpp"
#include "agent/control/dbus/authority.hpp"
#include "agent/journal/journal.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace outpost::control {

/// The agent on the system bus: org.outpost.Agent1 (systemd/org.outpost.Agent1.xml says what it offers, a test compares).
/// Everybody may read its properties, polkit decides about its methods. Without a bus, or while the bus is restarted, it
/// is simply not there.
class AgentObject {
 public:
  struct Options {
    std::function<void(const std::string& message)> log = [](const std::string&) {};
    std::chrono::milliseconds interval = std::chrono::milliseconds{250};  ///< Changes are told at most so often.
    std::chrono::milliseconds retry = std::chrono::seconds{30};           ///< Between two looks for a bus.
  };

  AgentObject(boost::asio::any_io_executor executor, AgentControl& agent, journal::Journal& journal, Options options);
  ~AgentObject();
  AgentObject(const AgentObject&) = delete;
  AgentObject& operator=(const AgentObject&) = delete;

  /// Offers the object until it is cancelled, or the loop ends.
  boost::asio::awaitable<void> run();

  /// What the properties say; for the functions that sd-bus calls.
  struct Snapshot {
    struct Job {
      std::string name, state;
      friend bool operator==(const Job&, const Job&) = default;
    };
    struct Reporter {
      std::string name;
      std::uint64_t waiting = 0, parked = 0;
    };
    std::string state, state_reason;
    std::vector<std::string> order;  ///< Of the jobs: those that run, then those that wait.
    std::map<std::string, Job> jobs;
    std::map<std::string, std::string> alarms;
    std::vector<Reporter> reporters;
    std::uint64_t last_contact = 0;
  };
  [[nodiscard]] Snapshot look();
  /// A method was called: answers when it is authorised and done.
  void called(sd_bus_message* call);

 private:
  boost::asio::awaitable<Result<void>> offer();
  boost::asio::awaitable<void> answer(bus::Message call);
  boost::asio::awaitable<std::string> caller_of(sd_bus_message* call);
  boost::asio::awaitable<Result<std::string>> carry_out(sd_bus_message* call, std::string who);
  void tell_changes();

  boost::asio::any_io_executor executor_;
  AgentControl& agent_;
  Options options_;
  Wakeup changed_;  ///< Outlives the bus, which notifies it once more when it closes.
  bus::Bus bus_;
  Authority authority_;
  Snapshot told_;
  std::shared_ptr<void> journal_watch_;
  std::string why_not_;  ///< Why it is not on the bus, as it was logged.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace outpost::control
