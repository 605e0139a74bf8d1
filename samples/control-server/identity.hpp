#pragma once

#include <string>
#include <vector>

namespace outpost::sample {

/// Who sent a request, and what they may do (DCI protocol §2.2, roles).
struct Identity {
  struct Team {
    std::string id, name, state;
    bool has_pre_release_access = false;
  };
  enum class Kind { user, remoteci, feeder };

  Kind kind = Kind::user;
  std::string id, etag, name, fullname, email, timezone, password;
  std::vector<Team> teams;
  bool super_admin = false, read_only = false, epm_team = false;

  [[nodiscard]] bool is_epm() const { return epm_team || super_admin; }
  [[nodiscard]] bool is_remoteci() const { return kind == Kind::remoteci; }
  [[nodiscard]] bool is_feeder() const { return kind == Kind::feeder; }
  /// Sees and changes what belongs to all teams.
  [[nodiscard]] bool sees_all() const { return super_admin || read_only || is_epm(); }
  [[nodiscard]] bool in_team(std::string_view team) const {
    if (is_epm()) return true;
    for (const auto& mine : teams)
      if (mine.id == team) return true;
    return false;
  }
  [[nodiscard]] bool has_pre_release_access() const {
    for (const auto& mine : teams)
      if (mine.has_pre_release_access) return true;
    return false;
  }
  [[nodiscard]] std::vector<std::string> team_ids() const {
    std::vector<std::string> ids;
    for (const auto& mine : teams) ids.push_back(mine.id);
    return ids;
  }
};

}  // namespace outpost::sample
