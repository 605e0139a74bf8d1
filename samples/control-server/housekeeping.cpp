// What administrators do about old rows, the counter of the mail worker, and who wants mail about a topic (DCI
// protocol §8).
#include "samples/control-server/handlers.hpp"

namespace outpost::sample::handlers {
namespace {

void require_admin(const Call& call) {
  if (!call.user.super_admin) throw unauthorized();
}

const Table& table_of(const Call& call) { return *purgeable_table(call.ids.front()); }

json::array archived(Records& records, const Table& table) {
  return records.select(table, {"state = 'archived'", {}}, "ORDER BY rowid");
}

/// The bytes of archived files go with their rows; so do those below archived components.
void remove_objects(Call& call, const Table& table) {
  if (&table == &files || &table == &jobs)
    for (const auto& file : archived(call.records, files)) call.objects.remove("dci-files", file_key(file.as_object()));
  if (&table != &components) return;
  for (const auto& component : archived(call.records, components))
    for (const auto& file :
         call.records.select(component_files, equals("component_id", text_at(component.as_object(), "id"))))
      call.objects.remove("dci-components", component_file_key(component.as_object(), text_at(file.as_object(), "id")));
}

void delete_archived(Call& call, const Table& table) {
  try {
    call.records.database().query("DELETE FROM " + std::string{table.name} + " WHERE state = 'archived'");
  } catch (const ConstraintViolation&) {
    throw ApiError{409,
                   "(psycopg2.errors.ForeignKeyViolation) update or delete on table \"" + std::string{table.name} +
                       "\" violates foreign key constraint\n",
                   {}};
  }
}

/// Sequence and etag of the counter, which exists once somebody has asked for it.
Row jobs_events_counter(Records& records) {
  const std::string select = "SELECT sequence, etag FROM counters WHERE name = 'jobs_events'";
  if (records.database().query(select).empty())
    records.database().query("INSERT INTO counters (name, sequence, etag) VALUES ('jobs_events', 0, ?)", {new_etag()});
  return records.database().query(select).front();
}

}  // namespace

Response list_archived(Call& call) {
  require_admin(call);
  return list_response(table_of(call).name, archived(call.records, table_of(call)));
}

Response purge_archived(Call& call) {
  require_admin(call);
  const auto& table = table_of(call);
  remove_objects(call, table);
  if (&table == &jobs) delete_archived(call, files);
  delete_archived(call, table);
  return empty_response(204);
}

Response get_jobs_events_sequence(Call& call) {
  require_admin(call);
  const auto counter = jobs_events_counter(call.records);
  return json_response(200, "sequence",
                       json::object{{"sequence", number_of(counter[0])}, {"etag", text_of(counter[1])}});
}

Response put_jobs_events_sequence(Call& call) {
  require_admin(call);
  const auto etag = call.required_etag();
  const auto values = clean(counter_schema, call.json_body());
  // A stale etag is a conflict here.
  if (text_of(jobs_events_counter(call.records)[1]) != etag)
    throw ApiError{409, "conflict on jobs_events \"sequence\" or etag not matched", {}};
  call.records.database().query("UPDATE counters SET sequence = ?, etag = ? WHERE name = 'jobs_events'",
                                {values.at("sequence").to_number<std::int64_t>(), new_etag()});
  return empty_response(204);
}

/// Subscribes the caller. A client that is no user breaks a rule of the database, which reads like a duplicate.
Response subscribe_to_topic(Call& call) {
  verify_access_to_topic(call, call.records.get(topics, call.ids.front()));
  try {
    call.records.database().query("INSERT INTO users_topics (user_id, topic_id) VALUES (?,?)",
                                  {call.user.id, call.ids.front()});
  } catch (const ConstraintViolation&) {
    throw ApiError{409, "We are unable to create this resource. A similar resource already exists.", {}};
  }
  return json_response(201, json::object{{"user_id", call.user.id}, {"topic_id", call.ids.front()}});
}

Response unsubscribe_from_topic(Call& call) {
  call.records.get(topics, call.ids.front());
  call.records.database().query("DELETE FROM users_topics WHERE topic_id = ? AND user_id = ?",
                                {call.ids.front(), call.user.id});
  return empty_response(204);
}

Response list_topic_subscribers(Call& call) {
  if (!call.user.is_epm()) throw unauthorized();
  call.records.get(topics, call.ids.front());
  return list_response(
      "users",
      call.records.select(users, {"id IN (SELECT user_id FROM users_topics WHERE topic_id = ?)", {call.ids.front()}}));
}

Response list_subscribed_topics(Call& call) {
  return list_response(
      "topics",
      call.records.select(topics, {"id IN (SELECT topic_id FROM users_topics WHERE user_id = ?)", {call.user.id}}));
}

}  // namespace outpost::sample::handlers
