#pragma once

#include "agent/base/result.hpp"
#include "agent/pipeline/step_calls.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

namespace outpost::hooks {

/// The socket on which the processes of one step talk to the agent (plugins/hooks/README.md lays down how). Whoever
/// connects is asked of the kernel: only processes of this step are heard.
///
/// A step that floods it waits for its own answers: each connection has one call at a time, a step has a number of
/// connections and a rate of calls, and a line has a length.
class StepSocket {
 public:
  struct Limits {
    std::size_t connections = 16;        ///< Served at once; further ones wait.
    std::size_t line = std::size_t{128} * 1024;  ///< Bytes of a call.
    double calls_per_second = 200;       ///< After a first `burst`.
    double burst = 1000;
    std::chrono::milliseconds idle = std::chrono::seconds{30};   ///< A connection that says nothing for so long is closed.
    std::chrono::milliseconds sign = std::chrono::seconds{10};   ///< How often a caller that waits hears that it is not forgotten.
  };
  struct Where {
    std::filesystem::path path;
    std::optional<gid_t> group;  ///< Whose processes may connect, when they run as somebody else.
    std::function<boost::asio::awaitable<bool>(pid_t)> is_of_step;
  };

  /// Listens at once; what is at the path already, of an agent before this one, goes. `calls` outlives stop().
  static Result<StepSocket> open(const boost::asio::any_io_executor& loop, Where where, pipeline::StepCalls& calls, Limits limits);
  static Result<StepSocket> open(const boost::asio::any_io_executor& loop, Where where, pipeline::StepCalls& calls) {
    return open(loop, std::move(where), calls, Limits{});
  }
  ~StepSocket();
  StepSocket(StepSocket&&) noexcept;
  StepSocket& operator=(StepSocket&&) = delete;

  /// Hears nobody any more. Returns when every call has been answered or given up.
  boost::asio::awaitable<void> stop();

 private:
  struct State;
  struct Served;
  explicit StepSocket(std::shared_ptr<State> state) : state_{std::move(state)} {}

  static boost::asio::awaitable<void> accept(std::shared_ptr<State> state);
  static boost::asio::awaitable<void> serve(std::shared_ptr<State> state, std::shared_ptr<struct StepConnection> connection);

  std::shared_ptr<State> state_;
};

}  // namespace outpost::hooks
