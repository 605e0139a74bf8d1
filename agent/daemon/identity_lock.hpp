#pragma once

#include "agent/base/result.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace outpost::daemon {

/// What we are at our control servers, each held against other agents of this host, whatever their user and their
/// directories are: two with one identity would claim jobs for the same lab, and take each other's for their own. Held
/// by a name in the abstract namespace of unix sockets, so nothing is left behind however we end. Agents in another
/// network namespace are not seen.
class IdentityLocks {
 public:
  /// `warn` is told when something that is no agent has taken one of these names, which then is held against nobody.
  explicit IdentityLocks(std::function<void(const std::string&)> warn) : warn_{std::move(warn)} {}

  /// Holds this identity as long as the token lives; several tokens of ours share it. refused: another process has it,
  /// and which.
  Result<std::shared_ptr<void>> hold(const std::string& client_id, const std::string& url);

 private:
  std::function<void(const std::string&)> warn_;
  std::map<std::string, std::weak_ptr<void>> held_;
};

}  // namespace outpost::daemon
