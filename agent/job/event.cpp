#include "agent/job/event.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <array>

namespace outpost::job {
namespace {

namespace json = boost::json;

constexpr std::array known_fields{"journal_id", "seq", "event_id", "occurred_at", "boot_id", "monotonic_ns", "host_id", "agent_version",
                                  "type", "type_version", "actor", "job_id", "pipeline_run_id", "step_id", "attempt", "causation_id",
                                  "chain_id", "links", "traceparent", "claim", "subject", "blobs", "data"};

void put(json::object& object, const char* key, const std::string& text) {
  if (!text.empty()) object[key] = text;
}

json::object to_json(const Blob& blob) {
  json::object object{{"path", blob.path}, {"sha256", blob.sha256}, {"size", blob.size}};
  put(object, "mime", blob.mime);
  put(object, "codec", blob.codec);
  if (blob.range) object["range"] = json::object{{"offset", blob.range->offset}};
  return object;
}

Blob blob_from_json(const json::object& object) {
  Blob blob;
  blob.path = text_at(object, "path");
  blob.sha256 = text_at(object, "sha256");
  blob.size = static_cast<std::uint64_t>(number_at(object, "size"));
  blob.mime = text_at(object, "mime");
  blob.codec = text_at(object, "codec");
  if (const auto* range = object.if_contains("range"); range && range->is_object())
    blob.range = Blob::Range{static_cast<std::uint64_t>(number_at(range->get_object(), "offset"))};
  return blob;
}

const json::array* array_at(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  return value ? value->if_array() : nullptr;
}

const json::object* object_at(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  return value ? value->if_object() : nullptr;
}

void read_lists(const json::object& object, Event& event) {
  if (const auto* links = array_at(object, "links"))
    for (const auto& link : *links)
      if (link.is_object()) event.links.push_back({text_at(link.get_object(), "type"), text_at(link.get_object(), "target")});
  if (const auto* blobs = array_at(object, "blobs"))
    for (const auto& blob : *blobs)
      if (blob.is_object()) event.blobs.push_back(blob_from_json(blob.get_object()));
  if (const auto* claim = object_at(object, "claim"))
    event.claim = Claim{text_at(*claim, "source"), text_at(*claim, "external_ref"), text_at(*claim, "fence")};
  if (const auto* subject = object_at(object, "subject"))
    event.subject = Subject{text_at(*subject, "purl"), text_at(*subject, "digest")};
  if (const auto* data = object_at(object, "data")) event.data = *data;
}

}  // namespace

std::string text_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && value->is_string() ? std::string{value->get_string()} : std::string{};
}

std::int64_t number_at(const json::object& object, std::string_view key, std::int64_t otherwise) {
  const auto* value = object.if_contains(key);
  if (!value) return otherwise;
  boost::system::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  return error ? otherwise : number;
}

bool flag_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && value->is_bool() && value->get_bool();
}

std::vector<std::string> texts_at(const json::object& object, std::string_view key) {
  std::vector<std::string> texts;
  if (const auto* value = object.if_contains(key); value && value->is_array())
    for (const auto& element : value->get_array())
      if (element.is_string()) texts.emplace_back(element.get_string());
  return texts;
}

json::object to_json(const Event& event) {
  json::object object = event.unknown;
  object["journal_id"] = event.journal_id;
  object["seq"] = event.seq;
  object["event_id"] = event.event_id;
  object["type"] = event.type;
  object["type_version"] = event.type_version;
  object["occurred_at"] = to_rfc3339(event.occurred_at);
  object["monotonic_ns"] = event.monotonic_ns;
  object["actor"] = event.actor;
  put(object, "boot_id", event.boot_id);
  put(object, "host_id", event.host_id);
  put(object, "agent_version", event.agent_version);
  put(object, "job_id", event.job_id);
  put(object, "pipeline_run_id", event.pipeline_run_id);
  put(object, "step_id", event.step_id);
  if (event.attempt != 1) object["attempt"] = event.attempt;
  put(object, "causation_id", event.causation_id);
  put(object, "chain_id", event.chain_id);
  put(object, "traceparent", event.traceparent);
  if (!event.links.empty()) {
    json::array links;
    for (const auto& link : event.links) links.push_back(json::object{{"type", link.type}, {"target", link.target}});
    object["links"] = std::move(links);
  }
  if (event.claim) {
    json::object claim{{"source", event.claim->source}, {"external_ref", event.claim->external_ref}};
    put(claim, "fence", event.claim->fence);
    object["claim"] = std::move(claim);
  }
  if (event.subject) object["subject"] = json::object{{"purl", event.subject->purl}, {"digest", event.subject->digest}};
  if (!event.blobs.empty()) {
    json::array blobs;
    for (const auto& blob : event.blobs) blobs.push_back(to_json(blob));
    object["blobs"] = std::move(blobs);
  }
  object["data"] = event.data;
  return object;
}

Result<Event> event_from_json(const json::value& value) {
  if (!value.is_object()) return Error{Fault::malformed, "an event is not a JSON object"};
  const json::object& object = value.get_object();
  Event event;
  event.type = text_at(object, "type");
  const auto moment = parse_rfc3339(text_at(object, "occurred_at"));
  const std::int64_t seq = number_at(object, "seq", -1);
  if (event.type.empty() || !moment || seq < 0) return Error{Fault::malformed, "an event lacks type, occurred_at or seq"};
  event.occurred_at = *moment;
  event.seq = static_cast<Seq>(seq);
  event.journal_id = text_at(object, "journal_id");
  event.event_id = text_at(object, "event_id");
  event.type_version = static_cast<int>(number_at(object, "type_version", 1));
  event.monotonic_ns = number_at(object, "monotonic_ns");
  event.actor = text_at(object, "actor");
  event.boot_id = text_at(object, "boot_id");
  event.host_id = text_at(object, "host_id");
  event.agent_version = text_at(object, "agent_version");
  event.job_id = text_at(object, "job_id");
  event.pipeline_run_id = text_at(object, "pipeline_run_id");
  event.step_id = text_at(object, "step_id");
  event.attempt = static_cast<int>(number_at(object, "attempt", 1));
  event.causation_id = text_at(object, "causation_id");
  event.chain_id = text_at(object, "chain_id");
  event.traceparent = text_at(object, "traceparent");
  read_lists(object, event);
  event.unknown = object;
  for (const char* field : known_fields) event.unknown.erase(field);
  return event;
}

}  // namespace outpost::job
