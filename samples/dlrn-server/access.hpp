#pragma once

#include "agent/http/server.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace outpost::sample_builder {

/// Whose a Kerberos token is, and what the groups of this user allow.
struct Ticket {
  std::string user;
  bool may_read = false, may_write = false;
};

/// Who may do what at the API.
struct Access {
  std::map<std::string, std::string> users{{"ciuser", "secret"}};  ///< Name to password; each may do everything.
  bool protected_reads = false;
  bool kerberos_first = false;  ///< Takes tickets, and names them in the challenge; passwords are taken all the same.
  /// Whose this token is, in base64 as it was sent; nothing: it is refused. None: every one is.
  std::function<std::optional<Ticket>(const std::string& token)> ticket;

  /// The user, or the answer that somebody else gets.
  struct Asker {
    std::string user;
    std::optional<http::ServerResponse> refusal;
  };
  [[nodiscard]] Asker asker_of(const http::ServerRequest& request, bool writes) const;
};

}  // namespace outpost::sample_builder
