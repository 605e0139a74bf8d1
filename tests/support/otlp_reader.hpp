#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <cstdint>
#include <map>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace outpost::test {

/// Reads bodies of OTLP/HTTP in JSON as strictly as opentelemetry-proto 1.x and its JSON mapping allow: every field has
/// to be one of its message and of the right type, ids are hexadecimal, 64-bit integers are texts, enumerations numbers.
/// Throws at the first thing that is not so.
class OtlpReader {
 public:
  struct Span {
    std::string trace, id, parent, name, message;
    std::int64_t kind = 0, status = 0;
    std::uint64_t begin = 0, end = 0;
    std::map<std::string, std::string> attributes;  ///< As JSON, without quotes.
  };
  struct Point {
    std::map<std::string, std::string> attributes;
    double value = 0, sum = 0;
    std::uint64_t count = 0, start = 0, time = 0;
  };
  struct Metric {
    std::string kind, unit;
    std::vector<Point> points;
  };

  std::map<std::string, std::string> resource;
  std::vector<Span> spans;
  std::map<std::string, Metric> metrics;

  void read_traces(const std::string& body) {
    for (const auto& each : scopes(body, "resourceSpans", "scopeSpans", "spans")) read_span(each);
  }
  void read_metrics(const std::string& body) {
    metrics.clear();
    for (const auto& each : scopes(body, "resourceMetrics", "scopeMetrics", "metrics")) read_metric(each);
  }

 private:
  using Object = boost::json::object;

  [[noreturn]] static void fail(const std::string& what) { throw std::runtime_error{"OTLP: " + what}; }

  /// An object with no other fields than these, of which the first `required` have to be there.
  static const Object& message(const boost::json::value& value, const std::vector<std::string>& fields, std::size_t required) {
    if (!value.is_object()) fail("an object is due: " + boost::json::serialize(value));
    const auto& object = value.get_object();
    const std::set<std::string> known{fields.begin(), fields.end()};
    for (const auto& [key, ignored] : object)
      if (!known.contains(std::string{key})) fail("unknown field " + std::string{key});
    for (std::size_t at = 0; at < required; ++at)
      if (!object.contains(fields[at])) fail("no field " + fields[at]);
    return object;
  }
  static const boost::json::array& list(const Object& object, const char* key) {
    if (!object.at(key).is_array()) fail(std::string{key} + " is no list");
    return object.at(key).get_array();
  }
  static std::string text(const Object& object, const char* key) {
    const auto* value = object.if_contains(key);
    if (!value) return {};
    if (!value->is_string()) fail(std::string{key} + " is no text");
    return std::string{value->get_string()};
  }
  static std::string hex(const Object& object, const char* key, std::size_t digits) {
    const auto value = text(object, key);
    if (!std::regex_match(value, std::regex{"[0-9a-f]{" + std::to_string(digits) + "}"}) || value.find_first_not_of('0') == std::string::npos)
      fail(std::string{key} + " is no id: " + value);
    return value;
  }
  static std::uint64_t number64(const Object& object, const char* key) {
    const auto value = text(object, key);
    if (!std::regex_match(value, std::regex{"0|[1-9][0-9]{0,18}"})) fail(std::string{key} + " is no 64-bit number as a text: " + value);
    return std::stoull(value);
  }
  static std::int64_t number32(const Object& object, const char* key) {
    const auto* value = object.if_contains(key);
    if (value && !value->is_int64()) fail(std::string{key} + " is no number");
    return value ? value->get_int64() : 0;
  }

  static std::string any_value(const boost::json::value& value) {
    const auto& any = message(value, {"stringValue", "boolValue", "intValue", "doubleValue", "arrayValue"}, 0);
    if (any.size() != 1) fail("a value is one of its kinds");
    if (any.contains("stringValue")) return text(any, "stringValue");
    if (any.contains("intValue")) {
      const auto number = text(any, "intValue");
      if (!std::regex_match(number, std::regex{"-?(0|[1-9][0-9]{0,18})"})) fail("intValue is no number as a text");
      return number;
    }
    if (any.contains("boolValue")) {
      if (!any.at("boolValue").is_bool()) fail("boolValue is none");
      return any.at("boolValue").get_bool() ? "true" : "false";
    }
    if (any.contains("doubleValue")) return boost::json::serialize(any.at("doubleValue"));
    std::string all;
    for (const auto& each : list(message(any.at("arrayValue"), {"values"}, 1), "values")) all += (all.empty() ? "" : ",") + any_value(each);
    return all;
  }
  static std::map<std::string, std::string> attributes(const Object& of) {
    std::map<std::string, std::string> found;
    if (!of.contains("attributes")) return found;
    for (const auto& each : list(of, "attributes")) {
      const auto& pair = message(each, {"key", "value"}, 2);
      if (text(pair, "key").empty() || !found.emplace(text(pair, "key"), any_value(pair.at("value"))).second) fail("a key is empty or there twice");
    }
    return found;
  }

  boost::json::array scopes(const std::string& body, const char* resources, const char* scopes, const char* items) {
    boost::json::array all;
    const auto whole = boost::json::parse(body);
    for (const auto& each : list(message(whole, {resources}, 1), resources)) {
      const auto& of_resource = message(each, {"resource", scopes, "schemaUrl"}, 2);
      resource = attributes(message(of_resource.at("resource"), {"attributes", "droppedAttributesCount"}, 1));
      if (!resource.contains("service.name")) fail("nobody says which service this is");
      for (const auto& of : list(of_resource, scopes)) {
        const auto& of_scope = message(of, {"scope", items, "schemaUrl"}, 2);
        message(of_scope.at("scope"), {"name", "version", "attributes", "droppedAttributesCount"}, 1);
        for (const auto& item : list(of_scope, items)) all.push_back(item);
      }
    }
    return all;
  }

  void read_span(const boost::json::value& given) {
    const auto& object = message(given, {"traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "parentSpanId", "flags", "traceState",
                                         "attributes", "droppedAttributesCount", "events", "droppedEventsCount", "links", "droppedLinksCount", "status"}, 6);
    Span span{.trace = hex(object, "traceId", 32), .id = hex(object, "spanId", 16), .name = text(object, "name"), .kind = number32(object, "kind"),
              .begin = number64(object, "startTimeUnixNano"), .end = number64(object, "endTimeUnixNano"), .attributes = attributes(object)};
    if (object.contains("parentSpanId")) span.parent = hex(object, "parentSpanId", 16);
    if (const auto* status = object.if_contains("status")) {
      const auto& of = message(*status, {"code", "message"}, 0);
      span.status = number32(of, "code");
      span.message = text(of, "message");
    }
    if (span.name.empty() || span.kind < 1 || span.kind > 5 || span.status < 0 || span.status > 2 || span.begin > span.end) fail("no span: " + boost::json::serialize(object));
    spans.push_back(std::move(span));
  }

  static Point read_point(const boost::json::value& given, const std::string& kind) {
    const auto& object = kind == "summary" ? message(given, {"timeUnixNano", "count", "sum", "startTimeUnixNano", "attributes", "quantileValues", "flags"}, 3)
                                           : message(given, {"timeUnixNano", "asDouble", "startTimeUnixNano", "attributes", "exemplars", "flags"}, 2);
    Point point{.attributes = attributes(object), .time = number64(object, "timeUnixNano")};
    if (object.contains("startTimeUnixNano")) point.start = number64(object, "startTimeUnixNano");
    const char* value = kind == "summary" ? "sum" : "asDouble";
    if (!object.at(value).is_number()) fail(std::string{value} + " is no number");
    (kind == "summary" ? point.sum : point.value) = object.at(value).to_number<double>();
    if (kind == "summary") point.count = number64(object, "count");
    return point;
  }

  void read_metric(const boost::json::value& given) {
    const auto& object = message(given, {"name", "description", "unit", "gauge", "sum", "summary"}, 1);
    Metric metric{.unit = text(object, "unit")};
    for (const char* kind : {"gauge", "sum", "summary"})
      if (object.contains(kind)) metric.kind = metric.kind.empty() ? kind : "two";
    if (metric.kind.empty() || metric.kind == "two") fail("a metric is of one kind");
    const auto& data = metric.kind == "sum" ? message(object.at("sum"), {"dataPoints", "aggregationTemporality", "isMonotonic"}, 3) : message(object.at(metric.kind), {"dataPoints"}, 1);
    if (metric.kind == "sum" && (number32(data, "aggregationTemporality") != 2 || data.at("isMonotonic") != true)) fail("our sums are cumulative counters");
    for (const auto& each : list(data, "dataPoints")) metric.points.push_back(read_point(each, metric.kind));
    for (const auto& point : metric.points)
      if (metric.kind != "gauge" && (point.start == 0 || point.start > point.time)) fail("nobody says since when it is counted");
    const auto name = text(object, "name");
    if (name.empty() || !metrics.emplace(name, std::move(metric)).second) fail("a metric without a name, or twice: " + name);
  }
};

}  // namespace outpost::test
