#pragma once

#include "samples/dlrn-server/access.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>

namespace outpost::sample_builder {

/// The builder's side of Kerberos: who may read, who may write, by the name before the '@'. Anybody else whose token is
/// good gets a 403. The library remembers tokens, so each is taken once.
struct TicketOptions {
  std::filesystem::path keytab;  ///< The builder's own: HTTP/host@REALM.
  std::set<std::string> readers, writers;
};

/// For Access::ticket.
[[nodiscard]] std::function<std::optional<Ticket>(const std::string& token)> accept_tickets(TicketOptions options);

}  // namespace outpost::sample_builder
