#include "plugins/dlrn/promoter/promotion.hpp"

#include "agent/base/ids.hpp"
#include "agent/job/event_types.hpp"

#include <algorithm>

namespace outpost::promoter {

namespace asio = boost::asio;
namespace json = boost::json;
namespace event = job::event;

asio::awaitable<Result<void>> Promotion::note(job::Event draft) {
  std::vector<job::Event> drafts;
  drafts.push_back(std::move(draft));
  auto written = co_await ports_.journal.append(std::move(drafts));
  if (!written) co_return written.error();
  co_return record_.apply(written->front());
}

Place* Promotion::place_named(std::string_view name) const {
  const auto found =
      std::find_if(ports_.places.begin(), ports_.places.end(), [&](const Place* each) { return each->name() == name; });
  return found == ports_.places.end() ? nullptr : *found;
}

asio::awaitable<Result<void>> Promotion::run(const Clock& clock) {
  if (record_.id.empty()) {
    record_.id = new_id(clock.now());
    auto opening = begun(record_);
    auto written = co_await note(std::move(opening));
    if (!written) co_return written;
  }
  if (record_.undo_reason.empty()) {
    auto stop = co_await go_forward();
    if (!stop) co_return stop.error();
    if (!*stop) {
      auto ending = end("promoted", record_.move.target().text() + " names " + record_.move.candidate.full_hash());
      co_return co_await std::move(ending);
    }
    ports_.say((*stop)->reason);
    auto undoing =
        event_of(record_, event::promotion_undoing, {{"reason", (*stop)->reason}, {"outcome", (*stop)->outcome}});
    auto written = co_await note(std::move(undoing));
    if (!written) co_return written;
  }
  co_return co_await take_back();
}

asio::awaitable<Result<std::optional<Promotion::Stop>>> Promotion::go_forward() {
  const std::vector<std::string> names = record_.places;
  for (const auto& name : names) {
    if (const auto* visit = record_.visit(name); visit && visit->moved) continue;
    Place* place = place_named(name);
    if (!place) co_return std::optional{Stop{name + " is no longer in the configuration", "rolled back"}};
    auto changed = co_await look_at_label();
    if (changed) co_return changed;
    auto stop = co_await move_in(*place);
    if (!stop || *stop) co_return stop;
  }
  co_return std::optional<Stop>{};
}

/// Only the label that is to move matters, and only which hash it names: a new row for the same hash is no change, and
/// the candidate itself may be our own promotion, whose answer was lost.
asio::awaitable<std::optional<Promotion::Stop>> Promotion::look_at_label() {
  const Label label = record_.move.target();
  auto now = co_await newest(ports_.builder, label);
  if (!now) co_return Stop{"label " + label.text() + ": " + now.error().message, "rolled back"};
  const std::string names = *now ? (*now)->full_hash() : "";
  if (names == record_.move.candidate.full_hash() || names == (record_.incumbent ? record_.incumbent->full_hash() : ""))
    co_return std::nullopt;
  co_return Stop{
      "somebody else has moved " + label.text() + " to " + (names.empty() ? "nothing" : names) + " meanwhile",
      "overtaken"};
}

asio::awaitable<Result<std::optional<Promotion::Stop>>> Promotion::move_in(Place& place) {
  const std::string name{place.name()};
  if (!record_.visit(name)) {
    auto before = co_await place.look(record_.move);
    if (!before) co_return std::optional{Stop{name + ": " + before.error().message, "rolled back"}};
    auto beginning = event_of(record_, event::promotion_place_begun, {{"place", name}, {"before", *before}});
    auto written = co_await note(std::move(beginning));
    if (!written) co_return written.error();
  }
  ports_.say(name + ": moving " + record_.move.target().text() + " to " + record_.move.candidate.full_hash());
  const json::object before = record_.visit(name)->before;
  auto moved = co_await place.move(record_.move, before);
  if (!moved) co_return std::optional{Stop{name + ": " + moved.error().message, "rolled back"}};
  auto ending = event_of(record_, event::promotion_place_ended, {{"place", name}});
  auto written = co_await note(std::move(ending));
  if (!written) co_return written.error();
  co_return std::optional<Stop>{};
}

asio::awaitable<Result<void>> Promotion::take_back() {
  std::string message = record_.undo_reason;
  std::vector<Record::Visit> visits = record_.visits;
  std::reverse(visits.begin(), visits.end());
  for (const auto& visit : visits) {
    if (visit.restored) continue;
    Place* place = place_named(visit.place);
    Result<void> restored = Error{Fault::refused, "it is no longer in the configuration"};
    if (place) restored = co_await place->restore(record_.move, visit.before);
    if (!restored && restored.error().fault != Fault::refused)
      co_return std::move(restored.error())
          .in(visit.place + ": " + record_.move.target().text() + " could not be put back, the next run tries again");
    if (!restored) message += "; " + visit.place + " stays as it is: " + restored.error().message;
    ports_.say(visit.place + (restored ? ": put back" : ": stays as it is"));
    auto noted = event_of(record_, event::promotion_place_restored, {{"place", visit.place}});
    auto written = co_await note(std::move(noted));
    if (!written) co_return written;
  }
  auto ending = end(record_.outcome, message);
  co_return co_await std::move(ending);
}

asio::awaitable<Result<void>> Promotion::end(std::string outcome, std::string message) {
  auto ending = event_of(record_, event::promotion_ended, {{"outcome", outcome}, {"message", message}});
  co_return co_await note(std::move(ending));
}

}  // namespace outpost::promoter
