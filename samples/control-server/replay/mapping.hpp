#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace outpost::replay {

/// What the server of the recording called something, and what the live server calls it: ids, etags, secrets, times.
class Mapping {
 public:
  /// What kind of changing value a whole text is.
  enum class Token { none, id, etag, secret, time };
  [[nodiscard]] static Token kind_of(std::string_view text);

  [[nodiscard]] std::optional<std::string> live(std::string_view recorded) const;
  void learn(std::string_view recorded, std::string_view live_value);
  /// Replaces every known id, etag and secret inside a text.
  [[nodiscard]] std::string translate(std::string_view text) const;
  /// Recorded ids inside a text that nothing was learned about.
  [[nodiscard]] std::set<std::string> unknown_ids(std::string_view text) const;
  /// A moment of the recording on the live server's clock: right after the last event before it that was seen.
  /// Moments before all that was seen stay as they are.
  [[nodiscard]] std::string live_moment(const std::string& recorded) const;

 private:
  std::map<std::string, std::string, std::less<>> names_;
  std::map<std::string, std::string> moments_;  ///< Both in six-digit form.
};

}  // namespace outpost::replay
