#pragma once

#include "agent/journal/journal.hpp"
#include "plugins/dlrn/promoter/builder.hpp"
#include "plugins/dlrn/promoter/record.hpp"

#include <functional>
#include <span>
#include <string>

namespace outpost::promoter {

/// Carries out one promotion: a place after the other, each move written down before it is made. The builder's label is
/// read again before each: a move by somebody else ends it. When a place fails, the ones before are put back, in
/// reverse order. So it ends as promoted or as if it had never begun; interrupted anywhere, run() on its record goes on
/// with it.
class Promotion {
 public:
  /// What outlives it. `say` hears what happens, line by line.
  struct Ports {
    journal::Journal& journal;
    Builder& builder;
    std::span<Place* const> places;  ///< Those of the configuration, in their order.
    std::function<void(const std::string&)> say = [](const std::string&) {};
  };

  /// A record without an id is one that has not begun.
  Promotion(Ports ports, Record record) : ports_{std::move(ports)}, record_{std::move(record)} {}

  /// Returns once it has ended; record() then says how. On an error it is still open, and the next run() goes on: the
  /// journal could not be written, or something could not be put back yet.
  boost::asio::awaitable<Result<void>> run(const Clock& clock);

  [[nodiscard]] const Record& record() const { return record_; }

 private:
  /// Why it does not go on; what it then was: "rolled back" or "overtaken".
  struct Stop {
    std::string reason, outcome;
  };

  boost::asio::awaitable<Result<void>> note(job::Event event);
  boost::asio::awaitable<Result<std::optional<Stop>>> go_forward();
  boost::asio::awaitable<Result<std::optional<Stop>>> move_in(Place& place);
  boost::asio::awaitable<std::optional<Stop>> look_at_label();
  boost::asio::awaitable<Result<void>> take_back();
  boost::asio::awaitable<Result<void>> end(std::string outcome, std::string message);
  [[nodiscard]] Place* place_named(std::string_view name) const;

  Ports ports_;
  Record record_;
};

}  // namespace outpost::promoter
