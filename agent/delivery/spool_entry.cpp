#include "agent/delivery/spool_entry.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <array>
#include <cstdio>

namespace outpost::delivery {

namespace json = boost::json;
using job::number_at;
using job::text_at;

namespace {

json::array array_of(const std::vector<std::string>& texts) { return json::array(texts.begin(), texts.end()); }

std::uint64_t count_at(const json::object& object, std::string_view key) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(number_at(object, key), 0));
}

}  // namespace

std::string member_of_entry(std::uint64_t number, std::string_view kind) {
  std::array<char, 21> digits{};
  std::snprintf(digits.data(), digits.size(), "%08llu", static_cast<unsigned long long>(number));
  return "outpost-spool/items/" + std::string{digits.data()} + std::string{kind};
}

json::object to_json(const SpoolManifest& manifest) {
  return {{"kind", manifest.kind},
          {"reporter", manifest.reporter},
          {"reporter_type", manifest.reporter_type},
          {"client_id", manifest.client_id},
          {"server", manifest.server},
          {"host_id", manifest.host_id},
          {"journal_id", manifest.journal_id},
          {"agent_version", manifest.agent_version},
          {"created", to_rfc3339(manifest.created)},
          {"items", manifest.items},
          {"parked", manifest.parked},
          {"jobs", manifest.jobs},
          {"bytes", manifest.bytes}};
}

Result<SpoolManifest> manifest_from_json(const json::object& object) {
  SpoolManifest manifest{.kind = text_at(object, "kind"),
                         .reporter = text_at(object, "reporter"),
                         .reporter_type = text_at(object, "reporter_type"),
                         .client_id = text_at(object, "client_id"),
                         .server = text_at(object, "server"),
                         .host_id = text_at(object, "host_id"),
                         .journal_id = text_at(object, "journal_id"),
                         .agent_version = text_at(object, "agent_version"),
                         .items = count_at(object, "items"),
                         .parked = count_at(object, "parked"),
                         .jobs = count_at(object, "jobs"),
                         .bytes = count_at(object, "bytes")};
  const auto created = parse_rfc3339(text_at(object, "created"));
  if (!created || manifest.reporter.empty() || (manifest.kind != "spool" && manifest.kind != "receipt"))
    return Error{Fault::malformed, "its manifest lacks the kind, the reporter or the time"};
  manifest.created = *created;
  return manifest;
}

json::object to_json(const SpoolEntry& entry) {
  const auto& item = entry.item;
  json::object object{
      {"key", item.key}, {"job_id", item.job_id}, {"kind", item.kind}, {"state", to_string(entry.state)}};
  if (!item.needs.empty()) object["needs"] = array_of(item.needs);
  if (!item.follows.empty()) object["follows"] = array_of(item.follows);
  if (!item.body.empty()) object["body"] = item.body;
  if (item.blob)
    object["blob"] = json::object{{"sha256", item.blob->sha256},
                                  {"size", item.blob->size},
                                  {"mime", item.blob->mime},
                                  {"codec", item.blob->codec}};
  if (!entry.remote_ref.empty()) object["remote_ref"] = entry.remote_ref;
  if (!entry.reason.empty()) object["reason"] = entry.reason;
  return object;
}

Result<SpoolEntry> entry_from_json(const json::object& object) {
  SpoolEntry entry;
  auto& item = entry.item;
  item.key = text_at(object, "key");
  item.job_id = text_at(object, "job_id");
  item.kind = text_at(object, "kind");
  item.needs = job::texts_at(object, "needs");
  item.follows = job::texts_at(object, "follows");
  if (const auto* body = object.if_contains("body"); body && body->is_object()) item.body = body->get_object();
  if (const auto* blob = object.if_contains("blob"); blob && blob->is_object()) {
    const auto& described = blob->get_object();
    item.blob = job::Blob{.sha256 = text_at(described, "sha256"),
                          .size = count_at(described, "size"),
                          .mime = text_at(described, "mime"),
                          .codec = text_at(described, "codec")};
  }
  entry.remote_ref = text_at(object, "remote_ref");
  entry.reason = text_at(object, "reason");
  const auto state = journal::parse_delivery_state(text_at(object, "state"));
  if (!state || *state == journal::DeliveryState::attempting || item.key.empty() || item.kind.empty())
    return Error{Fault::malformed, "an item lacks its key, kind or state"};
  entry.state = *state;
  return entry;
}

}  // namespace outpost::delivery
