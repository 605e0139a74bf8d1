#pragma once

#include "agent/base/result.hpp"
#include "agent/config/settings.hpp"
#include "agent/delivery/spool_entry.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

/// What `outpost spool` does: deliveries that travel in an archive, because their host has no way to the server. All of
/// it blocks; SIGINT and SIGTERM end it in good order (Fault::cancelled).
namespace outpost::daemon {

struct ExportOptions {
  std::string reporter;        ///< Empty: the only one that has something waiting.
  std::filesystem::path file;  ///< "-": standard output.
  bool force = false;          ///< Replace the file.
  /// Called as the archive grows.
  std::function<void(const delivery::SpoolManifest& manifest, std::uint64_t bytes)> progress;
};

struct Exported {
  delivery::SpoolManifest manifest;
  std::uint64_t unclaimed = 0;  ///< Jobs of which no server knows yet.
  std::uint64_t size = 0;       ///< Of the archive.
};

/// Writes what waits for a server into an archive: through the daemon when it runs, from the journal itself when it
/// does not. malformed: which reporter is meant must be said; refused: nothing waits, or the file is there.
[[nodiscard]] Result<Exported> export_spool(const config::Settings& settings, const ExportOptions& options);

struct ImportProgress {
  enum class Phase { verifying, unpacking, delivering } phase = Phase::verifying;
  std::uint64_t done = 0, total = 0;  ///< Bytes of the archive while it is verified, then items.
  std::string trouble;                ///< Why nothing moves just now.
};

struct ImportOptions {
  std::filesystem::path file;
  std::string source;             ///< Empty: the one whose remoteci the archive is of.
  std::filesystem::path receipt;  ///< Where to say what was delivered; empty: nowhere.
  bool force = false;             ///< Replace the receipt.
  std::function<void(const ImportProgress&)> progress;
};

struct Imported {
  delivery::SpoolManifest manifest;
  std::string server;
  std::uint64_t delivered = 0, found = 0;  ///< Sent by us; at the server already.
  std::uint64_t left = 0;                  ///< Neither there nor parked, because it ended early.
  std::vector<journal::Delivery> parked;   ///< Key and reason.
  std::string ended_early;                 ///< Why; empty when it did not.
  std::string receipt_problem;             ///< Why the receipt could not be written.
};

/// Checks an archive, then delivers what is in it, asking the server for each item before it is sent. Doing it again
/// doubles nothing. Returns when each item is delivered or parked, however long that takes; an Error means that nothing
/// was sent.
[[nodiscard]] Result<Imported> import_spool(const config::Settings& settings, const ImportOptions& options);

struct Confirmed {
  std::string reporter;
  std::uint64_t settled = 0;  ///< Waited here and are delivered now.
  std::uint64_t others = 0;   ///< Did not wait here (any more).
};

/// Takes an import's receipt: what it delivered is delivered for this host too, and its space can be freed. Through the
/// daemon when it runs.
[[nodiscard]] Result<Confirmed> confirm_spool(const config::Settings& settings, const std::filesystem::path& receipt);

}  // namespace outpost::daemon
