#pragma once

#include "agent/base/result.hpp"
#include "agent/job/story.hpp"
#include "agent/journal/deliveries.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace outpost::pipeline {

// How an attempt to deliver an item ended. The plugin classifies, because only it knows what its server means: on DCI a
// skewed clock is a 400 and a stale etag a 404.
struct Delivered { std::string remote_ref; };  ///< What the server calls it; "" when it has no name for it.
struct RetryAfter {
  std::optional<std::chrono::milliseconds> wait;  ///< A Retry-After.
  std::string reason;
  bool unsent = false;  ///< Nothing left this machine, so it cannot have arrived.
};
struct FixCredentials { std::string reason; };  ///< Nothing of this reporter will get through until a person acts.
struct Reread { std::string reason; };          ///< Something changed at the server: read it again and try at once.
struct Parked { std::string reason; };          ///< This item will never be accepted as it is.
using Outcome = std::variant<Delivered, RetryAfter, FixCredentials, Reread, Parked>;

/// Item key to what the server called it, for the items that an item needs.
using Refs = std::map<std::string, std::string>;

/// Tells one server what the journal says. Delivery calls it; it keeps no state of its own that matters.
class Reporter {
 public:
  virtual ~Reporter() = default;

  /// "dci"
  [[nodiscard]] virtual std::string_view type() const = 0;

  /// The items that an event gives rise to, in order; often none. A pure function of the event and of the job's story
  /// before it: after a crash it is asked again and must give the same keys.
  [[nodiscard]] virtual std::vector<journal::Item> expand(const job::Event& event, const job::Story& before) const = 0;

  virtual boost::asio::awaitable<Outcome> send(const journal::Item& item, const Refs& refs) = 0;

  /// Whether an earlier, uncertain send() did arrive: its remote reference, or nothing. Where a system cannot be asked
  /// this returns nothing.
  virtual boost::asio::awaitable<Result<std::optional<std::string>>> find(const journal::Item& item, const Refs& refs) = 0;
};

}  // namespace outpost::pipeline
