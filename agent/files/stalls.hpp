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
  /// `tell` is called with each retry that waits ("downloading a.tar: attempt 3, next in 20.0s: connection refused"), with
  /// another one that still waits when that goes on, and with "" when none does any more. It may be empty.
  explicit Stalls(std::function<void(std::string_view)> tell) : tell_{std::move(tell)} {}

  void waits(const std::string& file, const Retry& retry);
  /// It is being received, or its download has ended.
  void goes_on(const std::string& file);

 private:
  std::function<void(std::string_view)> tell_;
  std::map<std::string, std::string> waiting_;  ///< By file.
};

}  // namespace outpost::files
