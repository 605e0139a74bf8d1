#include "plugins/dlrn/promoter/record.hpp"

#include "agent/job/event_types.hpp"

#include <algorithm>
#include <map>

namespace outpost::promoter {

namespace json = boost::json;
namespace event = job::event;
using job::text_at;

const Record::Visit* Record::visit(std::string_view place) const {
  const auto found = std::find_if(visits.begin(), visits.end(), [&](const Visit& each) { return each.place == place; });
  return found == visits.end() ? nullptr : &*found;
}

Record::Visit* Record::visit(std::string_view place) { return const_cast<Visit*>(std::as_const(*this).visit(place)); }

Result<void> Record::apply(const job::Event& each) {
  const auto& data = each.data;
  const std::string place = text_at(data, "place");
  const auto object_at = [&](std::string_view key) {
    const auto* value = data.if_contains(key);
    return value && value->is_object() ? value->get_object() : json::object{};
  };
  if (each.type == event::promotion_begun) {
    id = each.pipeline_run_id;
    release = text_at(data, "release");
    auto candidate = candidate_from_json(object_at("candidate"));
    if (!candidate) return candidate.error();
    move = {*std::move(candidate), text_at(data, "from"), text_at(data, "to"), text_at(data, "component")};
    if (data.contains("incumbent")) {
      auto before = candidate_from_json(object_at("incumbent"));
      if (!before) return before.error();
      incumbent = *std::move(before);
    }
    places = job::texts_at(data, "places");
    if (const auto* list = data.if_contains("jobs"); list && list->is_array()) jobs = list->get_array();
    by = text_at(data, "by");
    begun_at = each.occurred_at;
  } else if (each.type == event::promotion_place_begun) {
    visits.push_back({place, object_at("before")});
  } else if (each.type == event::promotion_undoing) {
    undo_reason = text_at(data, "reason");
    outcome = text_at(data, "outcome");
  } else if (each.type == event::promotion_ended) {
    ended = true;
    outcome = text_at(data, "outcome");
    message = text_at(data, "message");
    ended_at = each.occurred_at;
  } else if (Visit* visited = visit(place)) {
    visited->moved = visited->moved || each.type == event::promotion_place_ended;
    visited->restored = visited->restored || each.type == event::promotion_place_restored;
  }
  return {};
}

const std::vector<std::string>& record_events() {
  static const std::vector<std::string> types{
      std::string{event::promotion_begun},          std::string{event::promotion_place_begun},
      std::string{event::promotion_place_ended},    std::string{event::promotion_undoing},
      std::string{event::promotion_place_restored}, std::string{event::promotion_ended}};
  return types;
}

Result<std::vector<Record>> replay(std::span<const job::Event> events) {
  std::vector<Record> records;
  std::map<std::string, std::size_t> by_id;
  for (const auto& each : events) {
    const auto [known, is_new] = by_id.try_emplace(each.pipeline_run_id, records.size());
    if (is_new) records.emplace_back();
    if (auto applied = records[known->second].apply(each); !applied)
      return std::move(applied.error()).in("promotion " + each.pipeline_run_id);
  }
  return records;
}

job::Event begun(const Record& record) {
  json::object data{{"release", record.release},
                    {"from", record.move.from},
                    {"to", record.move.to},
                    {"candidate", to_json(record.move.candidate)},
                    {"places", json::array(record.places.begin(), record.places.end())},
                    {"jobs", record.jobs}};
  if (record.incumbent) data["incumbent"] = to_json(*record.incumbent);
  if (!record.move.component.empty()) data["component"] = record.move.component;
  if (!record.by.empty()) data["by"] = record.by;
  return event_of(record, event::promotion_begun, std::move(data));
}

job::Event event_of(const Record& record, std::string_view type, json::object data) {
  job::Event event;
  event.type = type;
  event.pipeline_run_id = record.id;
  event.actor = "promoter";
  event.data = std::move(data);
  return event;
}

json::array to_json(const Judgement& judgement) {
  json::array jobs;
  for (const auto& job : judgement.jobs) {
    json::object entry{{"job", job.job}, {"state", to_string(job.state)}};
    if (!job.by.empty()) entry["by"] = job.by;
    jobs.push_back(std::move(entry));
  }
  return jobs;
}

json::object to_json(const Record& record) {
  json::object json{{"id", record.id},
                    {"release", record.release},
                    {"from", record.move.from},
                    {"to", record.move.target().text()},
                    {"candidate", to_json(record.move.candidate)},
                    {"begun_at", to_rfc3339(record.begun_at)},
                    {"outcome", record.ended ? record.outcome : "open"},
                    {"message", record.ended ? record.message : record.undo_reason},
                    {"jobs", record.jobs},
                    {"by", record.by}};
  if (record.ended) json["ended_at"] = to_rfc3339(record.ended_at);
  if (record.incumbent) json["incumbent"] = to_json(*record.incumbent);
  return json;
}

}  // namespace outpost::promoter
