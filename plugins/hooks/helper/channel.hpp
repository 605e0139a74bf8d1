#pragma once

#include "agent/base/descriptor.hpp"
#include "agent/base/result.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace outpost::hook {

/// What the agent said to a call.
struct Answer {
  int status = 0;  ///< 0: done; else the exit status that says what the hook can do about it.
  std::string message;
  boost::json::value value;
};

/// By which the agent knows a call again that it has answered, but whose answer was lost with the connection.
[[nodiscard]] std::string new_call_id();

/// The agent, over the socket of the step (plugins/hooks/README.md); or, when there is none, a file that keeps what
/// would have been said: <workspace>/.hook-events.ndjson.
class Channel {
 public:
  /// `socket` may be empty: then there is no agent.
  Channel(std::string socket, std::string workspace) : socket_{std::move(socket)}, workspace_{std::move(workspace)} {}

  [[nodiscard]] bool has_agent() const { return !socket_.empty(); }

  /// Says something to the agent and waits for the answer, also for an agent that is being restarted. A call that was
  /// answered counts once, however often it had to be sent. `file`: an open file that goes with it.
  /// unavailable: the agent did not answer for so long as patience_seconds says.
  [[nodiscard]] Result<Answer> call(std::string_view verb, boost::json::object arguments, const Descriptor* file = nullptr);

  /// Adds a line to the file of events.
  [[nodiscard]] Result<void> write_down(std::string_view verb, boost::json::object arguments) const;

  /// "outpost.sock: Connection refused": why the last attempt failed.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  [[nodiscard]] Descriptor connect();
  [[nodiscard]] bool send(const Descriptor& connection, std::string_view line, const Descriptor* file);
  [[nodiscard]] std::optional<Answer> hear(const Descriptor& connection);
  void remember_trouble(int code);

  std::string socket_, workspace_, trouble_;
};

}  // namespace outpost::hook
