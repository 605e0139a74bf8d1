#pragma once

#include "agent/process/command.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::daemon {

/// The exit status of `outpost promote` when another promoter has the release.
inline constexpr int promoter_is_busy = 6;

/// What came of a run of `outpost promote --json`.
struct PromotionRun {
  enum class Outcome {
    well,       ///< Every target was dealt with.
    failed,     ///< One failed or is left open, or there was no run at all; the message says why.
    busy,       ///< Another promoter has the release: somebody runs the command.
    cancelled,  ///< We stopped it; the next run goes on with what it has begun.
  };
  struct Promoted {
    std::string target, hash;
  };

  Outcome outcome = Outcome::failed;
  std::string message;             ///< Why it failed.
  std::string release;             ///< "centos9-master"; empty when it did not get that far.
  boost::json::array targets;      ///< {target, from, outcome, message, missing[]: jobs that the nearest candidate lacks}
  std::vector<Promoted> promoted;  ///< What has moved in it, in the order of the targets.
};
[[nodiscard]] std::string_view to_string(PromotionRun::Outcome outcome);

/// Hears what the command says: lines for people, and at last the report.
class PromotionEar {
 public:
  explicit PromotionEar(std::function<void(std::string_view line)> say) : say_{std::move(say)} {}

  void take(std::string_view bytes);
  /// What it came to, with the way in which the command has ended. Call it once, when nothing more comes.
  [[nodiscard]] PromotionRun understand(const process::Ending& ending);

 private:
  void line(std::string_view text);

  std::function<void(std::string_view)> say_;
  std::string rest_;   ///< Of the last line.
  bool cut_ = false;   ///< The last line is longer than what is kept.
  std::string words_;  ///< The last line for people.
  std::optional<boost::json::object> report_;
};

}  // namespace outpost::daemon
