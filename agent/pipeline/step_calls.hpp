#pragma once

#include "agent/base/descriptor.hpp"
#include "agent/base/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string>

namespace outpost::pipeline {

/// Something that a running step says or asks. Nothing of it is to be believed but that it comes from that step.
struct StepCall {
  std::string id;    ///< The same when it is sent again, because the answer was lost: 8 to 64 of 0-9a-f.
  std::string verb;  ///< "note"
  boost::json::object arguments;
  Descriptor file;   ///< That goes with it, if there is one.
};

/// Who answers the calls of one step.
class StepCalls {
 public:
  virtual ~StepCalls() = default;

  /// The answer, once what was said is durable. It may wait, for a lock; cancelling the coroutine ends that.
  /// malformed: the call is wrong. refused: the answer is no, and the message may be empty. retry_later: not now.
  /// unavailable: this agent cannot do it.
  virtual boost::asio::awaitable<Result<boost::json::value>> answer(StepCall call) = 0;

  /// The step runs, but nothing that it says will be heard.
  virtual void cannot_hear(const Error& why) = 0;
};

}  // namespace outpost::pipeline
