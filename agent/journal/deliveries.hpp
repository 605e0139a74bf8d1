#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "agent/job/event.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::journal {

/// One thing that has to reach a server, made from one event by a reporter.
struct Item {
  std::string key;  ///< Unique and stable within the reporter instance: expanding the event again gives the same key.
  std::string job_id;
  std::string kind;  ///< The reporter's own word: "state", "file", "kv"...
  /// Keys of items that must be delivered before; when one is parked, so is this.
  std::vector<std::string> needs;
  /// Keys of items that must be settled (delivered or parked) before: order without dependence.
  std::vector<std::string> follows;
  boost::json::object body;       ///< What the reporter needs to send it.
  std::optional<job::Blob> blob;  ///< Bytes to upload, in the job's directory.
};

enum class DeliveryState { pending, attempting, delivered, parked };

[[nodiscard]] std::string_view to_string(DeliveryState state);
[[nodiscard]] std::optional<DeliveryState> parse_delivery_state(std::string_view text);

struct Delivery {
  std::string reporter;
  Item item;
  job::Seq seq = 0;  ///< The event it was made from.
  DeliveryState state = DeliveryState::pending;
  std::uint64_t position = 0;  ///< Grows with each item that is added; where a page of open() ends.
  unsigned attempts = 0;
  std::string remote_ref;  ///< What the server called it, once delivered.
  std::string reason;      ///< Why it is parked or was put off.
};

/// Puts a text in the place of an item's blob: body.content is "[gap: N bytes, <reason>]\n", of the type text/plain.
void give_up_bytes(Item& item, std::string_view reason);

/// What one event gave rise to.
struct Expansion {
  job::Seq seq = 0;
  std::vector<Item> items;
};

/// A part of a long list: at most `limit` entries with a larger position.
struct Page {
  std::uint64_t after = 0;
  std::size_t limit = std::numeric_limits<std::int64_t>::max();
};

/// A reporter that the journal knows, whether or not it is configured now.
struct KnownReporter {
  std::string name;
  job::Seq cursor = 0;
};

struct Backlog {
  std::uint64_t waiting = 0, parked = 0;
  std::uint64_t delivered = 0;  ///< Since the reporter was registered, whether the rows are still there or not.
  std::uint64_t waiting_bytes = 0;
};

/// What waits to be sent, in the same database as the events. Every change is durable when its call returns, but
/// mark_delivered, which may be lost in a crash: then the item is found at the server, not sent twice. Changes take
/// effect in the order of the calls, and calls made while another is being synced share the next sync. Not cancellable,
/// like Journal::append(). What was delivered stays delivered: a later mark of the item changes nothing.
class Deliveries {
 public:
  virtual ~Deliveries() = default;

  /// How far this reporter has expanded the journal; nothing when it was never registered.
  virtual Result<std::optional<job::Seq>> cursor(const std::string& reporter) = 0;
  /// Adds the items of events in their order (known keys stay as they are) and moves the cursor to `upto`, never back,
  /// in one transaction. The first call registers the reporter.
  virtual boost::asio::awaitable<Result<void>> expand_all(std::string reporter, job::Seq upto,
                                                          std::vector<Expansion> expansions) = 0;
  /// The same for one event, number `upto`.
  boost::asio::awaitable<Result<void>> expand(std::string reporter, job::Seq upto, std::vector<Item> items);

  /// Everything that still has to be sent, oldest first.
  virtual Result<std::vector<Delivery>> open(const std::string& reporter, Page page) = 0;
  Result<std::vector<Delivery>> open(const std::string& reporter) { return open(reporter, Page{}); }
  virtual Result<std::optional<Delivery>> get(const std::string& reporter, const std::string& key) = 0;
  virtual Result<std::vector<Delivery>> of_job(const std::string& reporter, const std::string& job_id) = 0;
  virtual Result<std::vector<Delivery>> parked(const std::string& reporter) = 0;

  // Each marks one item; an unknown one is a bug, but for mark_delivered, which looks at nothing.

  /// Commits "attempting" before the first byte leaves, and counts the attempt.
  virtual boost::asio::awaitable<Result<void>> mark_attempting(std::string reporter, std::string key) = 0;
  virtual boost::asio::awaitable<Result<void>> mark_pending(std::string reporter, std::string key,
                                                            std::string reason) = 0;
  /// Returns at once; the next transaction of anybody takes it along. Every later call here sees it.
  virtual boost::asio::awaitable<Result<void>> mark_delivered(std::string reporter, std::string key,
                                                              std::string remote_ref) = 0;
  virtual boost::asio::awaitable<Result<void>> mark_parked(std::string reporter, std::string key,
                                                           std::string reason) = 0;

  /// Gives up the bytes of those items that have not been tried yet: what is sent instead is a gap marker, see
  /// give_up_bytes(). Writes `tombstone` in the same transaction. Not cancellable.
  virtual boost::asio::awaitable<Result<void>> drop_bytes(std::string reporter, std::vector<std::string> keys,
                                                          std::string reason, job::Event tombstone) = 0;

  virtual Result<Backlog> backlog(const std::string& reporter) = 0;

  /// All that have a cursor, by name.
  virtual Result<std::vector<KnownReporter>> reporters() = 0;
  /// After the journal lost something: items of events up to this one may have been sent although no row says so. They
  /// are added as "attempting", so that they are looked for before they are sent.
  virtual Result<job::Seq> doubtful_up_to(const std::string& reporter) = 0;
  /// Drops all rows of a reporter that nobody runs any more, and its cursor; a later expand() registers it anew. Writes
  /// `tombstone` in the same transaction.
  virtual boost::asio::awaitable<Result<void>> forget_reporter(std::string reporter, job::Event tombstone) = 0;
  /// Whether forget_reporter() was the last that happened to it: nothing needs to be kept for it.
  virtual Result<bool> is_forgotten(const std::string& reporter) = 0;
};

}  // namespace outpost::journal
