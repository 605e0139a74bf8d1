#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "agent/job/event.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include <optional>
#include <string>
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
  boost::json::object body;        ///< What the reporter needs to send it.
  std::optional<job::Blob> blob;   ///< Bytes to upload, in the job's directory.
};

enum class DeliveryState { pending, attempting, delivered, parked };

[[nodiscard]] std::string_view to_string(DeliveryState state);

struct Delivery {
  std::string reporter;
  Item item;
  job::Seq seq = 0;  ///< The event it was made from.
  DeliveryState state = DeliveryState::pending;
  unsigned attempts = 0;
  std::string remote_ref;  ///< What the server called it, once delivered.
  std::string reason;      ///< Why it is parked or was put off.
};

struct Backlog {
  std::uint64_t waiting = 0, parked = 0, delivered = 0;
  std::uint64_t waiting_bytes = 0;
};

/// What waits to be sent, in the same database as the events. Every change is durable when its call returns, but
/// mark_delivered, which may be lost in a crash: then the item is found at the server, not sent twice.
class Deliveries {
 public:
  virtual ~Deliveries() = default;

  /// How far this reporter has expanded the journal; nothing when it was never registered.
  virtual Result<std::optional<job::Seq>> cursor(const std::string& reporter) = 0;
  /// Adds the items of one event (known keys stay as they are) and moves the cursor to it, in one transaction.
  virtual boost::asio::awaitable<Result<void>> expand(std::string reporter, job::Seq upto, std::vector<Item> items) = 0;

  /// Everything that still has to be sent, oldest first.
  virtual Result<std::vector<Delivery>> open(const std::string& reporter) = 0;
  virtual Result<std::optional<Delivery>> get(const std::string& reporter, const std::string& key) = 0;
  virtual Result<std::vector<Delivery>> of_job(const std::string& reporter, const std::string& job_id) = 0;
  virtual Result<std::vector<Delivery>> parked(const std::string& reporter) = 0;

  /// Commits "attempting" before the first byte leaves.
  virtual boost::asio::awaitable<Result<void>> mark_attempting(std::string reporter, std::string key) = 0;
  virtual boost::asio::awaitable<Result<void>> mark_pending(std::string reporter, std::string key, std::string reason) = 0;
  virtual boost::asio::awaitable<Result<void>> mark_delivered(std::string reporter, std::string key, std::string remote_ref) = 0;
  virtual boost::asio::awaitable<Result<void>> mark_parked(std::string reporter, std::string key, std::string reason) = 0;

  virtual Result<Backlog> backlog(const std::string& reporter) = 0;
};

}  // namespace outpost::journal
