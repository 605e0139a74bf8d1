#pragma once

#include "agent/http/client.hpp"
#include "agent/telemetry/figures.hpp"
#include "agent/telemetry/span.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// OTLP/HTTP 1.x with JSON (https://opentelemetry.io/docs/specs/otlp/): protobuf's JSON mapping, but for ids, which are
/// hexadecimal.
namespace outpost::telemetry {

/// Who sends: {"service.name": ...}; texts.
using Resource = boost::json::object;

/// The body for /v1/traces.
[[nodiscard]] std::string trace_request(const Resource& resource, const std::vector<Span>& spans);
/// The body for /v1/metrics. Counters and summaries are cumulative since `started`; a figure without a series, or whose
/// value is no number, is left out.
[[nodiscard]] std::string metric_request(const Resource& resource, const std::vector<Family>& families, Timestamp started, Timestamp now);

/// What a collector's answer means.
struct Receipt {
  enum class Kind {
    taken,     ///< All of it, but `rejected`, which must not be sent again.
    later,     ///< It may be sent again, after `wait` when the collector says so.
    rejected,  ///< It would be refused again.
  };
  Kind kind = Kind::taken;
  std::uint64_t rejected = 0;  ///< Spans or points.
  std::optional<std::chrono::milliseconds> wait;
  std::string message;  ///< Why not all of it was taken, or what the collector wants to be told; for people.
};

/// `now` is for a Retry-After that is a date.
[[nodiscard]] Receipt receipt_of(const Result<http::Response>& response, Timestamp now);

}  // namespace outpost::telemetry
