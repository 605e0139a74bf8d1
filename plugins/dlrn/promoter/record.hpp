#pragma once

#include "agent/job/event.hpp"
#include "plugins/dlrn/promoter/place.hpp"
#include "plugins/dlrn/promoter/selection.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace outpost::promoter {

/// One promotion, as its events add up: what it was to do, how far it came, how it ended.
struct Record {
  /// A place whose label was about to be moved.
  struct Visit {
    std::string place;
    boost::json::object before;  ///< Of Place::look().
    bool moved = false, restored = false;
  };

  std::string id, release;
  Move move;
  std::optional<Candidate> incumbent;  ///< What the label named when it was decided.
  std::vector<std::string> places;     ///< In their order.
  boost::json::array jobs;             ///< Why it was decided: of each job {job, state, by}.
  std::string by;                      ///< Who has forced it; empty: the criteria.
  std::vector<Visit> visits;
  std::string undo_reason;  ///< Not empty: what was done is being taken back.
  bool ended = false;
  std::string outcome;  ///< "promoted", "rolled back", "overtaken"
  std::string message;
  Timestamp begun_at{}, ended_at{};

  [[nodiscard]] const Visit* visit(std::string_view place) const;
  [[nodiscard]] Visit* visit(std::string_view place);
  /// Takes in the next event of this promotion. malformed: it cannot be read.
  Result<void> apply(const job::Event& event);
};

/// The types of the events of promotions.
[[nodiscard]] const std::vector<std::string>& record_events();

/// The promotions of a journal, oldest first.
[[nodiscard]] Result<std::vector<Record>> replay(std::span<const job::Event> events);

/// The event that begins it.
[[nodiscard]] job::Event begun(const Record& record);
/// Any other event of it.
[[nodiscard]] job::Event event_of(const Record& record, std::string_view type, boost::json::object data);

[[nodiscard]] boost::json::array to_json(const Judgement& judgement);
/// For `--history`.
[[nodiscard]] boost::json::object to_json(const Record& record);

}  // namespace outpost::promoter
