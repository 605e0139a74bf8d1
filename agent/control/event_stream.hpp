#pragma once

#include "agent/http/server.hpp"
#include "agent/journal/journal.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace outpost::control {

/// Limits of one stream of server-sent events.
struct StreamLimits {
  std::size_t queue = 1000;  ///< Events that a reader may be behind; then the stream ends, and it comes back by itself.
  std::size_t streams = 32;  ///< Open at once; more are refused with 503.
};

/// Server-sent events (the HTML standard, 9.2): one for each event of the journal, `id` being "<journal id>:<seq>", data
/// {seq, type, job_id, step_id, stage, at}. With a Last-Event-ID a stream begins with those that were missed; when they
/// are too many, or of another journal, with an event `reset`, which means: read everything again. A comment every 15 s
/// keeps it alive. For the loop's thread.
class EventStreams {
 public:
  EventStreams(journal::Journal& journal, boost::asio::any_io_executor loop, StreamLimits limits = {})
      : journal_{journal}, loop_{std::move(loop)}, limits_{limits} {}

  [[nodiscard]] http::ServerResponse open(std::string_view last_event_id) const;

 private:
  journal::Journal& journal_;
  boost::asio::any_io_executor loop_;
  StreamLimits limits_;
  std::shared_ptr<std::size_t> open_ = std::make_shared<std::size_t>(0);
};

}  // namespace outpost::control
