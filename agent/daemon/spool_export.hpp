#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/workers.hpp"
#include "agent/delivery/dispatcher.hpp"
#include "agent/delivery/spool_writer.hpp"
#include "agent/base/descriptor.hpp"
#include "agent/journal/deliveries.hpp"
#include "agent/journal/journal.hpp"

#include <boost/asio/awaitable.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

namespace outpost::daemon {

/// A reporter whose spool can leave in an archive.
struct SpoolOwner {
  std::string name;
  std::string type, server;  ///< "dci"; the URL.
  delivery::SpoolKey key;
  delivery::Dispatcher* dispatcher = nullptr;  ///< Its run() runs.
};

struct SpoolPorts {
  journal::Journal& journal;
  journal::Deliveries& deliveries;
  Workers& workers;
  const Clock& clock;
  std::filesystem::path jobs_directory;
};

/// The owner with this name. unavailable: there is none.
[[nodiscard]] Result<SpoolOwner> find_owner(const std::vector<SpoolOwner>& owners, const std::string& name);

/// Makes an archive of what waits for one server, piece by piece. The items stay in the spool: whoever has a connection
/// first delivers them, and asks the server before.
class SpoolExport {
 public:
  /// For the reporter with this name; "": for the only one that has something waiting. Marks its items, so that none is
  /// sent from here without asking whether the archive has brought it. unavailable: no such reporter; malformed: a name
  /// is needed; refused: nothing waits.
  static boost::asio::awaitable<Result<std::shared_ptr<SpoolExport>>> prepare(SpoolPorts ports,
                                                                              std::vector<SpoolOwner> owners,
                                                                              std::string reporter);

  [[nodiscard]] const delivery::SpoolManifest& manifest() const { return manifest_; }
  /// Jobs of this reporter that no server knows yet, so that nothing of them can be exported.
  [[nodiscard]] std::uint64_t unclaimed() const { return unclaimed_; }

  /// The next bytes; empty at the end. After an error there is no archive. One call at a time; the object outlives it.
  boost::asio::awaitable<Result<std::string>> next();

 private:
  struct Bytes {
    Descriptor file;
    std::string name;
    std::uint64_t at = 0, left = 0;
  };

  SpoolExport(SpoolPorts ports, SpoolOwner owner);
  boost::asio::awaitable<Result<void>> collect();
  Result<void> count_unclaimed();
  boost::asio::awaitable<Result<void>> step();
  Result<std::vector<delivery::SpoolEntry>> entries_of(const std::string& key);
  Result<void> write_entry(delivery::SpoolEntry entry);
  Result<void> open_bytes(const journal::Item& item);
  Result<void> copy_bytes();

  SpoolPorts ports_;
  SpoolOwner owner_;
  delivery::SpoolManifest manifest_;
  std::uint64_t unclaimed_ = 0;

  std::vector<std::string> keys_;           ///< What waits, in order.
  std::unordered_set<std::string> listed_;  ///< What is in the archive or will be.
  std::vector<journal::Delivery> parked_;
  std::size_t next_key_ = 0, next_parked_ = 0;

  std::string made_;  ///< Of the archive, not taken yet.
  delivery::SpoolWriter writer_;
  bool begun_ = false, finished_ = false;
  Bytes bytes_;  ///< Of the entry that was written last.
};

}  // namespace outpost::daemon
