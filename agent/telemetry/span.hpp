#pragma once

#include "agent/base/clock.hpp"
#include "agent/job/event.hpp"
#include "agent/journal/journal.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>

namespace outpost::telemetry {

/// Something that has taken its time: a job, a stage of it, a step. Names of attributes are those of OpenTelemetry's
/// semantic conventions for CI/CD where there are such.
struct Span {
  std::string trace_id, span_id;  ///< Hexadecimal, of agent/job/trace.hpp.
  std::string parent_id;          ///< Empty: it is the whole job.
  std::string name;
  Timestamp begin{}, end{};
  boost::json::object attributes;  ///< Texts, whole numbers, truths and lists of texts.
  bool failed = false;
  std::string message;  ///< Why it failed, for people.
};

/// The span that an event ends, if it ends one: of job.ended, stage.ended and step.ended. Reads in the journal when it
/// began, so it is right for what has outlived a restart of the agent too. A stage that had nothing to do is none.
[[nodiscard]] std::optional<Span> span_ended_by(const job::Event& event, journal::Journal& journal);

}  // namespace outpost::telemetry
