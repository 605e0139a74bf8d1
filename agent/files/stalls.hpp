#pragma once

#include "agent/files/downloader.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace outpost::files {

/// What keeps downloads that run beside each other from going on, for people.
class Stalls {
 public:
  /// Not new: it was told before.
  using Tell = std::function<void(std::string_view why, bool is_new)>;

  /// `tell` is called with each retry that waits ("downloading a.tar: attempt 3, next in 20.0s: connection refused"), when
  /// that goes on again with another one that still waits, and with "" when none does any more. It may be empty.
  explicit Stalls(Tell tell) : tell_{std::move(tell)} {}

  void waits(const std::string& file, const Retry& retry);
  /// It is being received, or its download has ended.
  void goes_on(const std::string& file);

 private:
  Tell tell_;
  std::map<std::string, std::string> waiting_;  ///< By file.
};

}  // namespace outpost::files
