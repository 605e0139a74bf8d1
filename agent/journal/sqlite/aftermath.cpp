#include "agent/journal/sqlite/aftermath.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event_types.hpp"
#include "agent/journal/sqlite/event_rows.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace outpost::journal::sqlite {
namespace {

namespace json = boost::json;
namespace event = job::event;

/// Events that are made from now on, too, may stand for something that was sent before: a log is cut anew, for example.
constexpr Seq doubtful_ahead = 1000;
constexpr std::size_t most_named = 20;

json::array to_json(const std::vector<Range>& ranges) {
  json::array array;
  for (const Range& range : ranges) array.push_back(json::array{range.first, range.last});
  return array;
}

std::string list(const std::vector<std::string>& names) {
  const std::size_t shown = std::min(names.size(), most_named);
  std::string text = join(std::span{names}.first(shown), ", ");
  if (names.size() > shown) text += " and " + std::to_string(names.size() - shown) + " more";
  return text;
}

class Aftermath {
 public:
  Aftermath(Database& database, const Loss& loss, const Stamp& stamp)
      : database_{database}, loss_{loss}, stamp_{stamp}, next_{std::max(last_event(database), loss.acknowledged) + 1} {
    missing_ = loss.salvage.missing;
    if (const Seq last = last_event(database); last < loss.acknowledged)
      missing_.push_back({last + 1, loss.acknowledged});
  }

  std::string run() {
    database_.prepared("UPDATE meta SET journal_id = ?").bind_all(stamp_.journal_id).run();
    const Seq restored = next_++;
    open_jobs();
    unknown_jobs();
    reporters();
    database_.execute("UPDATE deliveries SET state = 'attempting' WHERE state = 'pending'");
    std::string message = describe();
    put(restored, event::journal_restored, {},
        {{"reason", loss_.reason},
         {"set_aside", loss_.set_aside},
         {"missing", to_json(missing_)},
         {"message", message}});
    return message;
  }

 private:
  void put(Seq seq, std::string_view type, std::string job_id, json::object data) {
    Event event;
    event.type = type;
    event.job_id = std::move(job_id);
    event.data = std::move(data);
    stamp_.apply(event);
    event.seq = seq;
    insert_event(database_, event, json::serialize(job::to_json(event)));
  }

  [[nodiscard]] std::vector<Event> events(const std::string& job_id, std::string_view type) {
    auto found = select_events(database_, {.job_id = job_id, .types = {std::string{type}}, .limit = 1'000'000});
    return found ? std::move(*found) : std::vector<Event>{};
  }

  void open_jobs() {
    for (const JobRow& row : select_jobs(database_, true, 1'000'000)) {
      if (events(row.job_id, event::job_queued).empty()) {
        headless(row.job_id);
        continue;
      }
      const bool touched =
          std::any_of(missing_.begin(), missing_.end(), [&](const Range& range) { return range.last >= row.first; });
      if (!touched) continue;
      put(next_++, event::job_history_lost, row.job_id, {{"message", loss_.reason}});
      suspects_.push_back(row.job_id);
    }
  }

  void headless(const std::string& job_id) {
    database_.prepared("UPDATE jobs SET ended = 1 WHERE job_id = ?").bind_all(job_id).run();
    const auto granted = events(job_id, event::claim_granted);
    const bool named = !granted.empty() && granted.front().claim;
    lost_.push_back(
        job_id +
        (named ? " (" + granted.front().claim->external_ref + " at " + granted.front().claim->source + ")" : ""));
  }

  /// Of which only delivery rows are left.
  void unknown_jobs() {
    Statement& rows = database_.prepared(
        "SELECT DISTINCT job_id FROM deliveries WHERE job_id <> '' AND job_id NOT IN (SELECT job_id FROM jobs)");
    rows.bind_all();
    const ResetAfter reset{rows};
    while (rows.row()) lost_.emplace_back(rows.text(0));
  }

  void reporters() {
    const bool ask_again = !loss_.salvage.deliveries_whole || !loss_.salvage.reporters_whole;
    if (ask_again) {
      std::map<std::string, Seq> begins;  // Where each of them began: what was before is not for it.
      if (!loss_.salvage.reporters_whole)
        for (const Event& queued : events({}, event::job_queued))
          for (const auto& name : job::texts_at(queued.data, "reporters")) begins.try_emplace(name, 0);
      for (const Event& registered : events({}, event::reporter_registered))
        begins[job::text_at(registered.data, "reporter")] = registered.seq;
      database_.execute("UPDATE reporters SET cursor = 0 WHERE forgotten = 0");
      for (const auto& [name, seq] : begins)
        database_
            .prepared(
                "INSERT INTO reporters (reporter, cursor, delivered) VALUES (?1, ?2, (SELECT count(*) FROM deliveries "
                "WHERE reporter = ?1 AND state = 'delivered')) ON CONFLICT (reporter) DO UPDATE SET cursor = ?2")
            .bind_all(name, seq)
            .run();
    }
    database_.prepared("UPDATE reporters SET doubtful = ?").bind_all(next_ + doubtful_ahead).run();
  }

  [[nodiscard]] std::string describe() const {
    std::string text = loss_.reason;
    if (!loss_.set_aside.empty()) {
      text += "; it was set aside as " + loss_.set_aside;
      text += loss_.salvage.readable
                  ? ", and " + std::to_string(loss_.salvage.events) + " events and " +
                        std::to_string(loss_.salvage.deliveries) + " deliveries were taken over into a new one"
                  : ", and nothing of it could be read: a new one was begun";
    }
    if (!missing_.empty())
      text += "; lost: events " + sqlite::describe(missing_);
    else if (loss_.salvage.readable)
      text += "; no event is lost";
    if (!loss_.salvage.deliveries_whole)
      text += "; some delivery rows are lost: what they stood for is looked for at the servers";
    if (!suspects_.empty()) text += "; jobs that may have lost something end as error: " + list(suspects_);
    if (!lost_.empty()) text += "; jobs that cannot be ended from here, look at the control server: " + list(lost_);
    if (!loss_.salvage.readable) text += "; look at the control server for jobs that were running";
    return text;
  }

  Database& database_;
  const Loss& loss_;
  const Stamp& stamp_;
  Seq next_;
  std::vector<Range> missing_;
  std::vector<std::string> suspects_, lost_;
};

}  // namespace

std::string settle(Database& database, const Loss& loss, const Stamp& stamp) {
  return Aftermath{database, loss, stamp}.run();
}

}  // namespace outpost::journal::sqlite
