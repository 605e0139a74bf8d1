#pragma once

#include "agent/base/workers.hpp"
#include "plugins/dlrn/authorization.hpp"

#include <filesystem>
#include <string>

namespace outpost::dlrn {

/// Signs in with tickets that the system's Kerberos library gets by a keytab: nobody has to run kinit, and tickets are
/// renewed by themselves. A keytab that was replaced is used at once, and with a ticket that the builder has refused (its
/// own keys may have been exchanged) no second token is made. Realms and their servers are those of krb5.conf.
class KerberosAuthorization final : public Authorization {
 public:
  struct Options {
    std::filesystem::path keytab;  ///< Of the principal that we are; empty: the tickets that somebody got by kinit.
    std::string principal;         ///< "ciuser@EXAMPLE.ORG"; empty: the keytab's first, or that of the tickets.
    std::string server;            ///< "HTTP/builder.example.org@EXAMPLE.ORG", or "HTTP@builder.example.org".
  };

  explicit KerberosAuthorization(Options options);
  ~KerberosAuthorization() override;
  KerberosAuthorization(const KerberosAuthorization&) = delete;
  KerberosAuthorization& operator=(const KerberosAuthorization&) = delete;

  /// "Negotiate <token>": one leg of a raw Kerberos 5 context, as the builder expects it; it answers none. Each is made
  /// anew, because the builder refuses one that it has seen. credentials: the library's own words, and what to look at.
  boost::asio::awaitable<Result<std::string>> header() override;
  /// The tickets are thrown away; with new ones it is worth another try.
  bool refused() override;
  [[nodiscard]] std::string user() const override;

 private:
  Options options_;
  std::string cache_;    ///< The name of the memory in which the library keeps our tickets.
  std::string keys_;     ///< Which file the keytab was when they were got.
  Workers workers_{1};  ///< The library waits for the realm's servers.
};

}  // namespace outpost::dlrn
