#pragma once

#include "samples/control-server/replay/comparison.hpp"
#include "samples/control-server/replay/mapping.hpp"
#include "samples/control-server/replay/recording.hpp"
#include "samples/control-server/replay/signing.hpp"
#include "samples/control-server/replay/wire.hpp"

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace outpost::replay {

struct Target {
  std::string host;
  std::uint16_t port = 0;
  bool is_sample = true;  ///< Then endpoints that only the original has are skipped.
};

struct Outcome {
  enum class Kind { passed, failed, skipped } kind = Kind::passed;
  std::vector<std::string> details;  ///< Differences, notes, or the reason of a skip.
};

/// Sends recorded requests to a live server in their order, as the recorded client would send them to it now.
class Replay {
 public:
  /// `known_ids` are in the server already, under their recorded ids.
  Replay(Recording recording, Target target, std::vector<std::pair<std::string, std::string>> replacements,
         const std::set<std::string>& known_ids = {});

  [[nodiscard]] const std::vector<Pair>& pairs() const { return recording_.pairs; }
  Outcome run(std::size_t index);

 private:
  [[nodiscard]] std::string reason_to_skip(const Pair& pair) const;
  [[nodiscard]] WireRequest live_request(const Pair& pair, std::size_t index, std::vector<std::string>& notes) const;
  [[nodiscard]] std::string live_authorization(const Pair& pair, const WireRequest& live,
                                               std::vector<std::string>& notes) const;
  [[nodiscard]] std::string live_target(const Pair& pair) const;
  [[nodiscard]] std::string replaced(std::string text) const;
  [[nodiscard]] std::chrono::seconds skew_of(std::size_t index) const;
  void remember_secrets(const boost::json::value& answer, std::string_view type);

  Recording recording_;
  Target target_;
  std::vector<std::pair<std::string, std::string>> replacements_;
  Mapping mapping_;
  Comparison comparison_{mapping_};
  std::map<std::string, std::vector<std::string>> secrets_;  ///< Recorded ones, by "remoteci/<id>".
  std::set<std::string> seen_ids_;                           ///< Recorded ids of recorded answers so far.
  std::vector<int> gaps_;                                    ///< Jumps of the numbering before each pair.
};

}  // namespace outpost::replay
