#pragma once

#include "agent/base/clock.hpp"
#include "agent/http/client.hpp"
#include "agent/telemetry/otlp.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace outpost::telemetry {

/// Where to send, and what.
struct Destination {
  std::string url;        ///< Without a trailing slash; /v1/traces and /v1/metrics are below it.
  http::Headers headers;  ///< Of every request. They may hold a token: never print them.
  bool traces = true, metrics = true;
  std::chrono::milliseconds interval{std::chrono::seconds{60}};  ///< Between two times that figures are sent.
  std::shared_ptr<http::Client> client;
};

/// How patient the exporter is; tests are less.
struct Patience {
  std::chrono::milliseconds gather{std::chrono::seconds{1}};  ///< What ends together travels together.
  std::chrono::milliseconds retry_first{std::chrono::seconds{1}}, retry_longest{std::chrono::minutes{1}};
  std::chrono::milliseconds answer{std::chrono::seconds{10}};  ///< Without a byte; then it has not answered.
  std::chrono::milliseconds farewell{std::chrono::seconds{3}};
  std::size_t queue = 4096;  ///< Spans that wait; then the oldest go.
  std::size_t batch = 512;   ///< Spans in a request.
};

/// Sends spans and figures to a collector, and never holds anything up: what waits is in memory, bounded, and lost with
/// the process. Two coroutines work for each destination, one for spans and one for figures; that nobody answers is told
/// in one line, and in one more when somebody does again.
class Exporter {
 public:
  struct Ports {
    boost::asio::any_io_executor executor;
    const Clock& clock;
    std::function<std::vector<Family>()> figures;
    std::function<void(const std::string&)> warn, notice;
  };

  Exporter(Ports ports, Resource resource, Patience patience);
  ~Exporter();
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  /// Sends there from now on, or with nothing to nobody. Spans that wait for the old destination go to the new one.
  void go_on_with(std::optional<Destination> destination);
  /// Whether spans are wanted.
  [[nodiscard]] bool takes_spans() const;
  /// Queues a span; the oldest is lost when too many wait.
  void add(Span span);
  /// {url, traces, metrics, spans_waiting, spans_sent, spans_lost, last_contact, last_error}; empty without a destination.
  [[nodiscard]] boost::json::object status() const;
  /// Sends once more what there is, for a few seconds at most, and ends.
  boost::asio::awaitable<void> stop();

 private:
  struct Line;

  Ports ports_;
  Resource resource_;
  Patience patience_;
  std::shared_ptr<Line> line_;
};

}  // namespace outpost::telemetry
