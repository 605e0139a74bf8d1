#pragma once

#include "agent/base/result.hpp"
#include "plugins/dlrn/promoter/candidate.hpp"
#include "plugins/dlrn/promoter/settings.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace outpost::promoter {

/// What the promoter asks of a builder.
class Builder {
 public:
  virtual ~Builder() = default;

  /// Rows of a label, newest first, from the given one on; fewer than `page` when these are the last.
  virtual boost::asio::awaitable<Result<std::vector<dlrn::Promotion>>> history(Label label, std::size_t offset) = 0;
  static constexpr std::size_t page = 100;

  /// All votes on a build or an aggregate.
  virtual boost::asio::awaitable<Result<std::vector<dlrn::Vote>>> votes(Candidate candidate) = 0;

  /// Moves the label `to` to what `from` names, or named once. refused: it will never work, such as of a purged build.
  /// An error does not mean that nothing has happened.
  virtual boost::asio::awaitable<Result<void>> promote(Candidate candidate, std::string from, std::string to) = 0;
};

/// What a label names now; nothing when it never named anything.
boost::asio::awaitable<Result<std::optional<Candidate>>> newest(Builder& builder, Label label);

/// The different hashes that a label has named, newest first: at least `enough` of them, when there are.
boost::asio::awaitable<Result<std::vector<Candidate>>> history_of(Builder& builder, Label label, std::size_t enough);

}  // namespace outpost::promoter
