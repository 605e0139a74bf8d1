#pragma once

#include "agent/base/result.hpp"
#include "agent/config/load.hpp"
#include "agent/job/event.hpp"

#include <boost/json/object.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace outpost::daemon {

struct PromoteOptions {
  std::filesystem::path config;           ///< Of one release: the old ini, or the newer yaml.
  std::filesystem::path waivers;          ///< Empty: waivers.yml beside it.
  std::filesystem::path state_directory;  ///< Locks and journals; it is made when it is not there.
  std::filesystem::path log_directory;    ///< Gets a file for each run; empty: none.
  bool dry_run = false;
  std::vector<std::string> targets;  ///< Only these; empty: all.
  std::string force;                 ///< A hash that goes to the one target, whatever its votes.
  bool roll_back = false;            ///< The one target gets back what it named before.
  std::string by;                    ///< Who forces or rolls back, and why.
  std::function<void(const std::string& line)> say = [](const std::string&) {};  ///< Hears what is done.
  std::function<void(const job::Event&)> noted;  ///< Hears what is in the journal by now; may be empty.
  config::Environment environment;  ///< DLRNAPI_USERNAME, DLRNAPI_PASSWORD, passwords of registries.
};

/// What came of a run, as a text for people and for programs.
struct PromoteAnswer {
  bool went_well = false;
  std::string text;
  boost::json::object json;
};

/// Runs the promoter of one release once: the composition root of `outpost promote`. SIGINT and SIGTERM leave a
/// promotion as it is; the next run goes on with it. Blocks. malformed: the configuration is wrong; the message is a
/// line for each mistake. refused: another promoter of this release runs.
[[nodiscard]] Result<PromoteAnswer> promote(const PromoteOptions& options);

/// The promotions of a release so far. Blocks.
[[nodiscard]] Result<PromoteAnswer> promotion_history(const PromoteOptions& options);

}  // namespace outpost::daemon
