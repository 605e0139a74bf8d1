#include "agent/telemetry/otlp.hpp"

#include "agent/base/text.hpp"
#include "agent/http/retry_after.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <cmath>

namespace outpost::telemetry {
namespace {

namespace json = boost::json;

constexpr int kind_internal = 1, kind_server = 2;  // Of opentelemetry.proto.trace.v1.Span.SpanKind.
constexpr int status_error = 2;
constexpr int cumulative = 2;  // AGGREGATION_TEMPORALITY_CUMULATIVE
constexpr std::size_t longest_text = 4000;

/// JSON is UTF-8, and names and messages are strangers'.
std::string text(std::string_view value) {
  return is_utf8(value) && value.size() <= longest_text ? std::string{value} : printable(value, longest_text);
}

/// 64-bit numbers are texts in protobuf's JSON.
std::string nanoseconds(Timestamp moment) {
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(moment.time_since_epoch()).count());
}

json::object any_value(const json::value& value) {
  if (value.is_bool()) return {{"boolValue", value}};
  if (value.is_int64()) return {{"intValue", std::to_string(value.get_int64())}};
  if (value.is_uint64()) return {{"intValue", std::to_string(value.get_uint64())}};
  if (value.is_double()) return {{"doubleValue", value}};
  if (value.is_string()) return {{"stringValue", text(value.get_string())}};
  json::array values;
  if (value.is_array())
    for (const auto& each : value.get_array()) values.push_back(any_value(each));
  return {{"arrayValue", json::object{{"values", std::move(values)}}}};
}

json::array attributes_of(const json::object& attributes) {
  json::array list;
  for (const auto& [key, value] : attributes) list.push_back(json::object{{"key", key}, {"value", any_value(value)}});
  return list;
}

json::object scope() { return {{"name", "outpost"}, {"version", OUTPOST_VERSION}}; }

/// {"resourceSpans": [{"resource": ..., "scopeSpans": [{"scope": ..., "spans": [...]}]}]}, or the same of metrics.
std::string request(const Resource& resource, std::string_view what, std::string_view items_name, json::array items) {
  json::object of_scope{{"scope", scope()}};
  of_scope[items_name] = std::move(items);
  json::object of_resource{{"resource", json::object{{"attributes", attributes_of(resource)}}}};
  json::array scopes;
  scopes.push_back(std::move(of_scope));
  of_resource["scope" + std::string{what}] = std::move(scopes);
  json::array resources;
  resources.push_back(std::move(of_resource));
  json::object whole;
  whole["resource" + std::string{what}] = std::move(resources);
  return json::serialize(whole);
}

json::object to_json(const Span& span) {
  json::object object{{"traceId", span.trace_id},
                      {"spanId", span.span_id},
                      {"flags", 1},
                      {"name", text(span.name)},
                      {"kind", span.parent_id.empty() ? kind_server : kind_internal},
                      {"startTimeUnixNano", nanoseconds(span.begin)},
                      {"endTimeUnixNano", nanoseconds(span.end)},
                      {"attributes", attributes_of(span.attributes)}};
  if (!span.parent_id.empty()) object["parentSpanId"] = span.parent_id;
  if (span.failed) object["status"] = json::object{{"code", status_error}, {"message", text(span.message)}};
  return object;
}

/// In UCUM, by the ending of the name.
std::string unit_of(std::string_view name) {
  if (name.ends_with("_total")) name.remove_suffix(6);
  if (name.ends_with("_seconds")) return "s";
  return name.ends_with("_bytes") ? "By" : "1";
}

json::object point(const Sample& sample, Timestamp now) {
  json::object labels;
  for (const auto& [key, value] : sample.labels) labels[key] = value;
  return {{"attributes", attributes_of(labels)}, {"timeUnixNano", nanoseconds(now)}};
}

json::object number_points(const Family& family, Timestamp started, Timestamp now) {
  const bool counter = family.type == "counter";
  json::array points;
  for (const auto& sample : family.samples) {
    if (!std::isfinite(sample.value)) continue;
    json::object made = point(sample, now);
    made["asDouble"] = sample.value;
    if (counter) made["startTimeUnixNano"] = nanoseconds(started);
    points.push_back(std::move(made));
  }
  json::object data{{"dataPoints", std::move(points)}};
  if (!counter) return {{"gauge", std::move(data)}};
  data["aggregationTemporality"] = cumulative;
  data["isMonotonic"] = true;
  return {{"sum", std::move(data)}};
}

/// Sum and count of a series follow each other.
json::object summary_points(const Family& family, Timestamp started, Timestamp now) {
  json::array points;
  for (std::size_t at = 0; at + 1 < family.samples.size(); at += 2) {
    json::object made = point(family.samples[at], now);
    made["startTimeUnixNano"] = nanoseconds(started);
    made["sum"] = family.samples[at].value;
    made["count"] = std::to_string(static_cast<std::uint64_t>(family.samples[at + 1].value));
    points.push_back(std::move(made));
  }
  return {{"summary", json::object{{"dataPoints", std::move(points)}}}};
}

std::uint64_t count_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  if (!value) return 0;
  if (value->is_string()) return std::strtoull(value->get_string().c_str(), nullptr, 10);
  return value->is_int64() && value->get_int64() > 0 ? static_cast<std::uint64_t>(value->get_int64()) : 0;
}

/// What a 2xx says of parts that were not taken. An empty answer, or one in protobuf, says nothing.
void read_partial(const std::string& body, Receipt& receipt) {
  boost::system::error_code error;
  const json::value parsed = json::parse(body, error);
  if (error || !parsed.is_object()) return;
  const auto* partial = parsed.get_object().if_contains("partialSuccess");
  if (!partial || !partial->is_object()) return;
  const auto& object = partial->get_object();
  receipt.rejected = count_at(object, "rejectedSpans") + count_at(object, "rejectedDataPoints");
  receipt.message = job::text_at(object, "errorMessage");
}

/// The message of a Status, when the body is one.
std::string message_in(const std::string& body) {
  boost::system::error_code error;
  const json::value parsed = json::parse(body, error);
  return error || !parsed.is_object() ? std::string{} : job::text_at(parsed.get_object(), "message");
}

}  // namespace

std::string trace_request(const Resource& resource, const std::vector<Span>& spans) {
  json::array list;
  for (const auto& span : spans) list.push_back(to_json(span));
  return request(resource, "Spans", "spans", std::move(list));
}

std::string metric_request(const Resource& resource, const std::vector<Family>& families, Timestamp started, Timestamp now) {
  json::array list;
  for (const auto& family : families) {
    if (family.samples.empty()) continue;
    json::object metric = family.type == "summary" ? summary_points(family, started, now) : number_points(family, started, now);
    metric["name"] = family.name;
    metric["description"] = family.help;
    metric["unit"] = unit_of(family.name);
    list.push_back(std::move(metric));
  }
  return request(resource, "Metrics", "metrics", std::move(list));
}

Receipt receipt_of(const Result<http::Response>& response, Timestamp now) {
  if (!response) return {.kind = Receipt::Kind::later, .message = response.error().message};
  Receipt receipt;
  if (response->status >= 200 && response->status < 300) {
    read_partial(response->body, receipt);
    return receipt;
  }
  const std::string said = message_in(response->body);
  receipt.message = "it answers " + std::to_string(response->status) + (said.empty() ? "" : ": " + said);
  constexpr int retryable[] = {429, 502, 503, 504};
  receipt.kind = Receipt::Kind::rejected;
  for (const int status : retryable)
    if (response->status == status) receipt.kind = Receipt::Kind::later;
  if (receipt.kind == Receipt::Kind::later) receipt.wait = http::retry_after(response->headers, now);
  return receipt;
}

}  // namespace outpost::telemetry
