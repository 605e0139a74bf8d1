// The secrets of hooks: what systemd keeps of them for the next start, and for how long.

#include "agent/base/shortest_secret.hpp"
#include "agent/daemon/composition.hpp"
#include "agent/process/systemd/slot_directory.hpp"

namespace outpost::daemon {

/// Steps that end with the agent need nobody who knows what it knew.
void Composition::keep_for_next_start(const Secrets& secrets) {
  hook_secrets_ = secrets;
  if (!units_) return;
  kept_secrets_ = is_nothing_begun() ? secrets : with_older(secrets, kept_secrets_);
  if (const auto kept = keep_secrets(kept_secrets_); !kept) logger_.warning("a restart will need all secrets to be readable: " + kept.error().message);
}

/// Also of what the fallback to local steps cannot reach: systemd may run it still.
bool Composition::is_nothing_begun() const {
  return agent_ && agent_->unfinished() == 0 && !process::holds_steps(process::SystemdCommandRunner::Options{}.slots);
}

void Composition::forget_older_secrets() {
  if (kept_secrets_ == hook_secrets_ || !is_nothing_begun()) return;
  if (units_) {
    keep_for_next_start(Secrets{hook_secrets_});
  } else if (settings_.runner == config::Runner::local) {
    kept_secrets_.clear();
    drop_secrets();
  }
}

void Composition::warn_about_short(const std::map<std::string, std::string>& secrets) const {
  for (const auto& [name, secret] : secrets)
    if (secret.size() < shortest_secret)
      logger_.warning("secrets." + name + ": shorter than " + std::to_string(shortest_secret) + " bytes, so it is not hidden in logs, results and artifacts");
}

}  // namespace outpost::daemon
