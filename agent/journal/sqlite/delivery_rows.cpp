#include "agent/journal/sqlite/delivery_rows.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace outpost::journal::sqlite {
namespace {

namespace json = boost::json;

std::string text_of(const std::vector<std::string>& keys) {
  json::array array;
  for (const auto& key : keys) array.emplace_back(key);
  return json::serialize(array);
}

std::optional<std::string> text_of(const std::optional<job::Blob>& blob) {
  if (!blob) return std::nullopt;
  json::object object{{"path", blob->path}, {"sha256", blob->sha256}, {"size", blob->size}};
  if (!blob->mime.empty()) object["mime"] = blob->mime;
  if (!blob->codec.empty()) object["codec"] = blob->codec;
  if (blob->range) object["offset"] = blob->range->offset;
  return json::serialize(object);
}

json::value parsed(std::string_view text) {
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  options.max_depth = 1024;
  boost::system::error_code error;
  json::value value = json::parse(text, error, {}, options);
  return error ? json::value{} : value;
}

std::vector<std::string> keys_of(std::string_view text) {
  std::vector<std::string> keys;
  if (text == "[]") return keys;
  const json::value value = parsed(text);
  if (value.is_array())
    for (const auto& key : value.get_array())
      if (key.is_string()) keys.emplace_back(key.get_string());
  return keys;
}

job::Blob blob_of(std::string_view text) {
  const json::value value = parsed(text);
  if (!value.is_object()) return {};
  const json::object& object = value.get_object();
  job::Blob blob;
  blob.path = job::text_at(object, "path");
  blob.sha256 = job::text_at(object, "sha256");
  blob.size = static_cast<std::uint64_t>(job::number_at(object, "size"));
  blob.mime = job::text_at(object, "mime");
  blob.codec = job::text_at(object, "codec");
  if (object.contains("offset"))
    blob.range = job::Blob::Range{static_cast<std::uint64_t>(job::number_at(object, "offset"))};
  return blob;
}

constexpr const char* columns =
    "SELECT position, key, job_id, seq, kind, needs, follows, body, blob, state, attempts, remote_ref, reason "
    "FROM deliveries WHERE reporter = ?1 AND ";

/// The conditions on the state are those of the partial indexes, word for word: else SQLite would not use them.
std::string selection(Which which) {
  switch (which) {
    case Which::open:
      return std::string{columns} +
             "state IN ('pending', 'attempting') AND ?2 = '' AND position > ?3 ORDER BY position LIMIT ?4";
    case Which::parked:
      return std::string{columns} + "state = 'parked' AND ?2 = '' AND position > ?3 ORDER BY position LIMIT ?4";
    case Which::of_job: return std::string{columns} + "job_id = ?2 AND +position > ?3 ORDER BY position LIMIT ?4";
    case Which::one: return std::string{columns} + "key = ?2 AND +position > ?3 LIMIT ?4";
  }
  return {};
}

Result<Delivery> read_row(const std::string& reporter, const Statement& row) {
  Delivery delivery;
  const auto state = parse_delivery_state(row.text(9));
  const json::value body = parsed(row.text(7));
  if (!state || !body.is_object())
    return Error{Fault::malformed,
                 "journal: item " + std::string{row.text(1)} + " of reporter " + reporter + " cannot be read"};
  delivery.reporter = reporter;
  delivery.position = static_cast<std::uint64_t>(row.number(0));
  delivery.item.key = row.text(1);
  delivery.item.job_id = row.text(2);
  delivery.seq = static_cast<job::Seq>(row.number(3));
  delivery.item.kind = row.text(4);
  delivery.item.needs = keys_of(row.text(5));
  delivery.item.follows = keys_of(row.text(6));
  delivery.item.body = body.get_object();
  if (!row.null(8)) delivery.item.blob = blob_of(row.text(8));
  delivery.state = *state;
  delivery.attempts = static_cast<unsigned>(row.number(10));
  delivery.remote_ref = row.text(11);
  delivery.reason = row.text(12);
  return delivery;
}

std::string update_of(DeliveryState state) {
  const auto update = [](const char* changes) {
    return std::string{"UPDATE deliveries SET "} + changes +
           " WHERE reporter = ?1 AND key = ?2 AND state <> 'delivered'";
  };
  switch (state) {
    case DeliveryState::pending: return update("state = 'pending', reason = ?3");
    case DeliveryState::attempting: return update("state = 'attempting', attempts = attempts + 1");
    case DeliveryState::delivered: return update("state = 'delivered', remote_ref = ?3, reason = ''");
    case DeliveryState::parked: return update("state = 'parked', reason = ?3");
  }
  return {};
}

bool exists(Database& database, const Mark& mark) {
  Statement& statement = database.prepared("SELECT 1 FROM deliveries WHERE reporter = ? AND key = ?");
  statement.bind_all(mark.reporter, mark.key);
  const ResetAfter reset{statement};
  return statement.row();
}

}  // namespace

void insert_expansions(Database& database, const std::string& reporter, job::Seq upto,
                       const std::vector<Expansion>& expansions, Timestamp now) {
  database
      .prepared(
          "INSERT INTO reporters (reporter, cursor) VALUES (?, ?) ON CONFLICT (reporter) DO UPDATE SET "
          "cursor = iif(forgotten, excluded.cursor, max(cursor, excluded.cursor)), forgotten = 0")
      .bind_all(reporter, upto)
      .run();
  for (const Expansion& expansion : expansions)
    for (const Item& item : expansion.items)
      database
          .prepared(
              "INSERT INTO deliveries (reporter, key, job_id, seq, kind, needs, follows, body, blob, bytes, created, "
              "state) "
              "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, iif(?4 <= (SELECT doubtful FROM reporters WHERE "
              "reporter = ?1), 'attempting', 'pending')) ON CONFLICT (reporter, key) DO NOTHING")
          .bind_all(reporter, item.key, item.job_id, expansion.seq, item.kind, text_of(item.needs),
                    text_of(item.follows), json::serialize(item.body), text_of(item.blob),
                    item.blob ? item.blob->size : std::uint64_t{0}, std::int64_t{now.time_since_epoch().count()})
          .run();
}

bool update_state(Database& database, const Mark& mark) {
  Statement& statement = database.prepared(update_of(mark.state));
  statement.bind_all(mark.reporter, mark.key);
  if (mark.state != DeliveryState::attempting) statement.bind(3, mark.note);
  statement.run();
  if (database.changed_rows() == 0) return exists(database, mark);
  if (mark.state == DeliveryState::delivered)
    database.prepared("UPDATE reporters SET delivered = delivered + 1 WHERE reporter = ?")
        .bind_all(mark.reporter)
        .run();
  return true;
}

std::optional<job::Seq> select_cursor(Database& database, const std::string& reporter) {
  Statement& statement = database.prepared("SELECT cursor FROM reporters WHERE reporter = ? AND forgotten = 0");
  statement.bind_all(reporter);
  const ResetAfter reset{statement};
  if (!statement.row()) return std::nullopt;
  return static_cast<job::Seq>(statement.number(0));
}

void drop_bytes(Database& database, const std::string& reporter, const std::vector<std::string>& keys,
                const std::string& reason) {
  for (const auto& key : keys) {
    auto rows = select_deliveries(database, reporter, Which::one, key, {});
    if (!rows || rows->empty() || rows->front().state != DeliveryState::pending) continue;
    Item& item = rows->front().item;
    give_up_bytes(item, reason);
    database.prepared("UPDATE deliveries SET blob = NULL, bytes = 0, body = ? WHERE reporter = ? AND key = ?")
        .bind_all(json::serialize(item.body), reporter, key)
        .run();
  }
}

std::vector<KnownReporter> select_reporters(Database& database) {
  Statement& statement =
      database.prepared("SELECT reporter, cursor FROM reporters WHERE forgotten = 0 ORDER BY reporter");
  statement.bind_all();
  const ResetAfter reset{statement};
  std::vector<KnownReporter> reporters;
  while (statement.row())
    reporters.push_back({std::string{statement.text(0)}, static_cast<job::Seq>(statement.number(1))});
  return reporters;
}

job::Seq select_doubtful(Database& database, const std::string& reporter) {
  Statement& statement = database.prepared("SELECT doubtful FROM reporters WHERE reporter = ?");
  statement.bind_all(reporter);
  const ResetAfter reset{statement};
  return statement.row() ? static_cast<job::Seq>(statement.number(0)) : 0;
}

bool is_forgotten(Database& database, const std::string& reporter) {
  Statement& statement = database.prepared("SELECT 1 FROM reporters WHERE reporter = ? AND forgotten = 1");
  statement.bind_all(reporter);
  const ResetAfter reset{statement};
  return statement.row();
}

void forget_reporter(Database& database, const std::string& reporter) {
  database.prepared("DELETE FROM deliveries WHERE reporter = ?").bind_all(reporter).run();
  database.prepared("UPDATE reporters SET forgotten = 1 WHERE reporter = ?").bind_all(reporter).run();
}

Result<std::vector<Delivery>> select_deliveries(Database& database, const std::string& reporter, Which which,
                                                const std::string& argument, Page page) {
  constexpr std::size_t most = std::numeric_limits<std::int64_t>::max();
  Statement& statement = database.prepared(selection(which));
  statement.bind_all(reporter, argument, page.after, std::uint64_t{std::min(page.limit, most)});
  const ResetAfter reset{statement};
  std::vector<Delivery> deliveries;
  while (statement.row()) {
    auto delivery = read_row(reporter, statement);
    if (!delivery) return delivery.error();
    deliveries.push_back(std::move(*delivery));
  }
  return deliveries;
}

Backlog select_backlog(Database& database, const std::string& reporter) {
  Backlog backlog;
  Statement& open = database.prepared(
      "SELECT count(*), coalesce(sum(bytes), 0) FROM deliveries WHERE reporter = ? AND state IN ('pending', "
      "'attempting')");
  open.bind_all(reporter);
  {
    const ResetAfter reset{open};
    open.row();
    backlog.waiting = static_cast<std::uint64_t>(open.number(0));
    backlog.waiting_bytes = static_cast<std::uint64_t>(open.number(1));
  }
  Statement& others = database.prepared(
      "SELECT (SELECT count(*) FROM deliveries WHERE reporter = ?1 AND state = 'parked'), "
      "coalesce((SELECT delivered FROM reporters WHERE reporter = ?1), 0)");
  others.bind_all(reporter);
  const ResetAfter reset{others};
  others.row();
  backlog.parked = static_cast<std::uint64_t>(others.number(0));
  backlog.delivered = static_cast<std::uint64_t>(others.number(1));
  return backlog;
}

}  // namespace outpost::journal::sqlite
