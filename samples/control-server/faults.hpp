#pragma once

#include "agent/base/result.hpp"
#include "agent/http/server.hpp"

#include <boost/json/array.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::sample {

/// What to do to a request that a rule has picked.
struct FaultAction {
  bool execute = true;  ///< Whether the request is carried out before the answer is spoiled.
  std::chrono::milliseconds delay_before{0}, delay_after{0};
  bool drop = false;  ///< Close the connection without an answer.
  std::optional<int> status;
  std::optional<std::string> body;
  http::Headers headers;
  std::optional<std::uint64_t> truncate;          ///< Break the connection after so many bytes of the body.
  std::optional<std::uint64_t> bytes_per_second;  ///< Send the body slowly.
};

/// Scripted misbehaviour: rules in order, the first that picks a request wins (README.md, "Faults").
class Faults {
 public:
  /// JSON (an array of rules) or lines such as `POST /api/v1/files nth=2 status=503 retry-after=1`.
  static Result<Faults> parse(std::string_view script);

  /// Counts the request and returns what a rule says about it.
  std::optional<FaultAction> pick(std::string_view method, std::string_view path);
  /// The rules with how often each saw a request and struck.
  [[nodiscard]] boost::json::array report() const;

 private:
  struct Rule {
    std::string method = "*", path = "*";
    std::vector<std::uint64_t> nth;    ///< Only these matching requests (from 1).
    std::uint64_t after = 0;           ///< Not the first so many.
    std::uint64_t times = UINT64_MAX;  ///< At most so often.
    double probability = 1.0;
    std::mt19937_64 random{1};
    FaultAction action;
    boost::json::object source;
    std::uint64_t seen = 0, struck = 0;
  };
  static Result<Rule> rule_of(const boost::json::object& source);

  std::vector<Rule> rules_;
};

}  // namespace outpost::sample
