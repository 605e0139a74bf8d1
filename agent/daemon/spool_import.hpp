#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/workers.hpp"
#include "agent/daemon/server_access.hpp"
#include "agent/daemon/spool.hpp"
#include "agent/delivery/bell.hpp"
#include "agent/delivery/dispatcher.hpp"
#include "agent/delivery/spool_reader.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace outpost::daemon {

/// Brings the entries of one archive to their server: through the same dispatcher and reporter as the agent's, with a
/// journal of its own in a directory that goes away afterwards.
class SpoolImport {
 public:
  /// `directory` is empty and nobody else's; `delivery`: how its items are paced. All outlives the object.
  SpoolImport(delivery::SpoolReader& reader, const ServerAccess& access, const config::Source& source,
              delivery::Options delivery, std::filesystem::path directory, boost::asio::any_io_executor executor,
              std::function<void(const ImportProgress&)> progress);
  ~SpoolImport();

  /// Checks the archive, unpacks it, and only then delivers. An Error means that nothing was sent.
  boost::asio::awaitable<Result<Imported>> run();
  /// Ends run() soon. Called on the loop.
  void stop();

  /// What was delivered, with what the server calls it; for a receipt.
  [[nodiscard]] Result<std::vector<delivery::SpoolEntry>> delivered() const;

 private:
  class Reporter;
  using Entries = std::vector<delivery::SpoolEntry>;

  boost::asio::awaitable<Result<void>> verify();
  boost::asio::awaitable<Result<void>> unpack();
  boost::asio::awaitable<Result<void>> take_in(Entries entries);
  boost::asio::awaitable<void> deliver();
  Result<Imported> conclude();
  Result<Entries> read_some();
  void report(ImportProgress::Phase phase, std::uint64_t done, std::uint64_t total, std::string trouble = {});
  [[nodiscard]] Error interrupted() const;

  delivery::SpoolReader& reader_;
  const ServerAccess& access_;
  const config::Source& source_;
  delivery::Options delivery_;
  std::filesystem::path directory_;
  boost::asio::any_io_executor executor_;
  std::function<void(const ImportProgress&)> progress_;

  SystemClock clock_;
  Workers workers_;
  std::unique_ptr<pipeline::Reporter> inner_;
  std::unique_ptr<Reporter> reporter_;
  std::unique_ptr<journal::SqliteJournal> journal_;
  std::unique_ptr<delivery::Dispatcher> dispatcher_;

  Imported imported_;
  std::uint64_t files_ = 0;        ///< Unpacked so far; the last one's name.
  std::vector<std::string> keys_;  ///< Of all that is to be delivered.
  std::atomic<bool> stopping_ = false;
  std::string refused_;  ///< The server does not take our credentials.
  delivery::Bell bell_;
};

}  // namespace outpost::daemon
