#pragma once

#include "agent/base/clock.hpp"
#include "agent/config/problem.hpp"

#include <boost/system/result.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace outpost::promoter {

/// Lets one hash pass without the success of one job, until a day. What people otherwise do by editing criteria and
/// forgetting to put them back.
struct Waiver {
  std::string target, job;
  std::string hash;  ///< As Candidate::full_hash().
  std::string by, why;
  Timestamp until{};  ///< The end of the day that is named (UTC).
  config::Origin where;

  [[nodiscard]] bool holds_for(const std::string& label, const std::string& job_id, const std::string& full_hash,
                               Timestamp now) const {
    return target == label && job == job_id && hash == full_hash && now < until;
  }
};

/// The file of a release's waivers: the given one, or waivers.yml beside its configuration.
[[nodiscard]] inline std::filesystem::path waivers_of(const std::filesystem::path& configuration,
                                                      const std::filesystem::path& given) {
  return given.empty() ? configuration.parent_path() / "waivers.yml" : given;
}

/// Reads a list of waivers (YAML); every key is required. A file that does not exist has none. Blocks.
[[nodiscard]] boost::system::result<std::vector<Waiver>, config::Problems> load_waivers(
    const std::filesystem::path& file);

}  // namespace outpost::promoter
