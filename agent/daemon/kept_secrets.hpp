#pragma once

#include "agent/base/descriptor.hpp"
#include "agent/base/result.hpp"

#include <map>
#include <string>

// The secrets of hooks, kept for the next process of the agent by systemd alone, in memory that has no name: for as long
// as steps can outlive the agent. A start that finds a secret unreadable could else not go on with them, because what they
// print of it could not be hidden; and a start that fails for good lets them die.
namespace outpost::daemon {

/// What they are called in systemd's store.
inline constexpr const char* kept_secrets_name = "secrets";

/// By their names in the configuration.
using Secrets = std::map<std::string, std::string>;

/// They can be read from the descriptor, and changed by nobody.
[[nodiscard]] Result<Descriptor> sealed(const Secrets& secrets);
/// What is in one that sealed() has made; nothing in any other.
[[nodiscard]] Secrets unsealed(const Descriptor& kept);

/// These, and what they were `before`: a step that has begun by then may still print that. A value that has been replaced
/// goes on under a name that no configuration can have; one that is no longer configured keeps its name.
[[nodiscard]] Secrets with_older(Secrets secrets, const Secrets& before);

/// Has systemd keep these, and no others.
Result<void> keep_secrets(const Secrets& secrets);
/// Has systemd keep none.
void drop_secrets();

}  // namespace outpost::daemon
