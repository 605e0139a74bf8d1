#pragma once

#include "agent/base/wakeup.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/array.hpp>

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace outpost::pipeline {

/// The locks that the steps of all jobs take by name. A lock is a job's, and stays it until that job gives it back or has
/// ended. Who waits gets it in the order of asking. For the loop's thread.
class Locks {
 public:
  explicit Locks(boost::asio::any_io_executor loop) : loop_{std::move(loop)} {}

  /// What the journal says that a job holds.
  void restore(const std::string& name, const std::string& job) { locks_[name].holder = job; }

  /// Whether the job has got it, which may be its own already. Waits for that so long, without a limit for ever; a
  /// cancelled coroutine waits no more, and throws.
  boost::asio::awaitable<bool> take(std::string name, std::string job, std::optional<std::chrono::milliseconds> limit);
  /// Whether it was the job's.
  bool give_back(const std::string& name, const std::string& job);
  void give_back_all(const std::string& job);

  /// [{name, holder: a job's id, waiting: how many}]
  [[nodiscard]] boost::json::array list() const;

 private:
  struct Waiter {
    std::string job;
    Wakeup granted;
    bool has_it = false;
  };
  struct Lock {
    std::string holder;
    std::deque<std::shared_ptr<Waiter>> queue;
  };
  struct Place;
  void pass_on(const std::string& name);

  boost::asio::any_io_executor loop_;
  std::map<std::string, Lock> locks_;
};

}  // namespace outpost::pipeline
