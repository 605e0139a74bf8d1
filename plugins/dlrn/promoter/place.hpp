#pragma once

#include "agent/base/result.hpp"
#include "plugins/dlrn/promoter/candidate.hpp"
#include "plugins/dlrn/promoter/settings.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace outpost::promoter {

/// A hash that moves from one label to the next.
struct Move {
  Candidate candidate;
  std::string from, to;       ///< "tripleo-ci-testing", "current-tripleo"
  std::string component = {};  ///< Whose labels these are; empty: those of the whole builder.

  [[nodiscard]] Label target() const { return {to, component}; }
};

/// One of the places where a label says which hash is promoted: registries, image servers, the builder.
///
/// Whoever calls has written down what look() returned before move() is called, and calls move() again, with the same,
/// when it was interrupted anywhere in between: to do it twice has to be the same as once.
class Place {
 public:
  virtual ~Place() = default;

  /// "containers", "images", "dockerfiles", "dlrn": as the journal calls it.
  [[nodiscard]] virtual std::string_view name() const = 0;

  /// Whether all is there that the move needs. Nothing is changed. Returns what a move would do, in lines for a person.
  virtual boost::asio::awaitable<Result<std::vector<std::string>>> check(Move move) = 0;

  /// What the label names now, as far as restore() needs it.
  virtual boost::asio::awaitable<Result<boost::json::object>> look(Move move) = 0;

  /// Makes the label name the candidate. On an error it may have been done in part.
  virtual boost::asio::awaitable<Result<void>> move(Move move, boost::json::object before) = 0;

  /// Puts the label back to what it was, where it still names the candidate: what somebody else has moved since is
  /// theirs. refused: something cannot be put back, and what.
  virtual boost::asio::awaitable<Result<void>> restore(Move move, boost::json::object before) = 0;
};

}  // namespace outpost::promoter
