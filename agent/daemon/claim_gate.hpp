#pragma once

#include "agent/base/clock.hpp"
#include "agent/job/event.hpp"
#include "agent/job/job.hpp"

#include <boost/json/object.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outpost::daemon {

/// What an operator has said about claiming: pauses, which survive a restart, and a drain, which ends with the agent.
/// Jobs that are claimed already are none of its business.
class ClaimGate {
 public:
  /// What a pause is about: "" (everything), "source:dci", "resource:cluster4".
  using Scope = std::string;
  struct Hold {
    std::string reason;
    Timestamp since{};
  };

  /// Takes up an event of the journal; those of other types are nothing.
  void apply(const job::Event& event);
  /// The types of the events that apply() wants to see.
  [[nodiscard]] static std::vector<std::string> event_types();

  void pause(const Scope& scope, Hold hold) { pauses_.insert_or_assign(scope, std::move(hold)); }
  void resume(const Scope& scope) { pauses_.erase(scope); }
  [[nodiscard]] const std::map<Scope, Hold>& pauses() const { return pauses_; }

  void drain(Hold hold) { drain_ = std::move(hold); }
  void end_drain() { drain_.reset(); }
  [[nodiscard]] const std::optional<Hold>& drain() const { return drain_; }

  /// The agent is being stopped: nothing more, whatever anybody says from now on. It looks like a drain.
  void stop(Hold hold) { stop_ = std::move(hold); }
  [[nodiscard]] bool is_stopped() const { return stop_.has_value(); }

  /// The configuration on disk is wrong and jobs had to be finished: nothing new until it is right. "" opens.
  void close(std::string reason) { closed_ = std::move(reason); }

  /// Checks of the site's health that fail, by plugin: nothing new until they pass again.
  void sicken(std::map<std::string, std::string> failing) { failing_ = std::move(failing); }
  [[nodiscard]] const std::map<std::string, std::string>& failing() const { return failing_; }

  /// Why this job may not be claimed, for people; "" when it may.
  [[nodiscard]] std::string refusal(const job::Definition& definition) const;
  /// {state, since, reason, running, paused: [{source | resource, reason, since}]}; state is open, paused, draining,
  /// drained, unhealthy or closed.
  [[nodiscard]] boost::json::object to_json(std::size_t running) const;

 private:
  std::map<Scope, Hold> pauses_;
  std::optional<Hold> drain_, stop_;
  std::string closed_;
  std::map<std::string, std::string> failing_;
};

/// "source:dci" of a source, "resource:cluster4" of a resource, "" when both are empty.
[[nodiscard]] ClaimGate::Scope scope_of(const std::string& source, const std::string& resource);
/// "everything", "source dci".
[[nodiscard]] std::string describe(const ClaimGate::Scope& scope);

}  // namespace outpost::daemon
