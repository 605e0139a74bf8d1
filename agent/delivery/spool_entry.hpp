#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "agent/journal/deliveries.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace outpost::delivery {

// The members of an archive. Their names are for people who list it: reading takes no path from it.
inline constexpr std::string_view manifest_member = "outpost-spool/manifest.json";
inline constexpr std::string_view entry_member = ".json", bytes_member = ".data";
/// "outpost-spool/items/00000001.json"
[[nodiscard]] std::string member_of_entry(std::uint64_t number, std::string_view kind);

/// What a spool archive says about itself.
struct SpoolManifest {
  std::string kind = "spool";                      ///< "spool": what waits. "receipt": what was delivered.
  std::string reporter, reporter_type;             ///< The reporter instance whose rows these are.
  std::string client_id, server;                   ///< Of the control server that they are for.
  std::string host_id, journal_id, agent_version;  ///< Where they come from.
  Timestamp created{};
  std::uint64_t items = 0;   ///< Entries that wait or, in a receipt, that were delivered.
  std::uint64_t parked = 0;  ///< Entries that are only listed.
  std::uint64_t jobs = 0;
  std::uint64_t bytes = 0;  ///< Of all blobs.
};

[[nodiscard]] boost::json::object to_json(const SpoolManifest& manifest);
/// malformed when it is nothing that to_json() wrote.
[[nodiscard]] Result<SpoolManifest> manifest_from_json(const boost::json::object& object);

/// One delivery row. pending: it waits, and its bytes follow if it has a blob, or `reason` says why they cannot be had.
/// delivered: what others need of it is its reference. parked: only listed.
struct SpoolEntry {
  journal::Item item;  ///< Its blob has neither path nor range: the bytes are in the archive.
  journal::DeliveryState state = journal::DeliveryState::pending;
  std::string remote_ref;
  std::string reason;

  [[nodiscard]] bool has_bytes() const {
    return item.blob && state == journal::DeliveryState::pending && reason.empty();
  }
};

[[nodiscard]] boost::json::object to_json(const SpoolEntry& entry);
/// malformed when it is nothing that to_json() wrote.
[[nodiscard]] Result<SpoolEntry> entry_from_json(const boost::json::object& object);

}  // namespace outpost::delivery
