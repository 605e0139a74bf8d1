#pragma once

#include "agent/base/clock.hpp"
#include "agent/job/story.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <vector>

/// What the local API and the command line show of a job; agent/control/README.md describes the fields.
namespace outpost::daemon {

/// A moment as text; null for none.
[[nodiscard]] boost::json::value moment(Timestamp at);

/// A job in a list.
[[nodiscard]] boost::json::object summary_of(const job::Story& story);

/// A job by itself: the same, with its steps, results and warnings.
[[nodiscard]] boost::json::object in_full(const job::Story& story);

/// The hooks that a job has passed over, of its events step.skipped: [{stage, plugin, hook, reason}], each once.
[[nodiscard]] boost::json::array skipped_steps(const std::vector<job::Event>& skipped);

/// What is in a result: the event, with the step that left it instead of how the journal says so.
[[nodiscard]] boost::json::object test_result(const job::Event& found);

}  // namespace outpost::daemon
