#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::cli {

/// Takes names and addresses out of texts that are shown to strangers. The same name is the same stand-in everywhere,
/// so that what belongs together can still be seen.
class Redaction {
 public:
  /// `names`: of hosts and other things that must not be seen; short ones (below 3 letters) are left alone.
  explicit Redaction(std::vector<std::string> names);

  /// The text with "name-1" for each name, "address-1" for each address of IPv4 that is not this machine's own
  /// loopback, and "****" for what stands between "://" and "@".
  [[nodiscard]] std::string operator()(std::string_view text);

 private:
  std::vector<std::string> names_;  ///< The longest first: one may be part of another.
  std::map<std::string, std::string> stand_ins_;
  std::size_t addresses_ = 0;
};

}  // namespace outpost::cli
