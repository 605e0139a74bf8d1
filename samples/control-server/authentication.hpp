#pragma once

#include "agent/http/server.hpp"
#include "samples/control-server/body.hpp"
#include "samples/control-server/identity.hpp"
#include "samples/control-server/records.hpp"

namespace outpost::sample {

/// Finds out who sent a request by its Authorization header, as the original's verifier does (DCI protocol §2.1).
/// Written from the server's side; it shares nothing with the agent's signer.
class Authentication {
 public:
  explicit Authentication(Records& records) : records_{records} {}

  /// Throws ApiError or PageError as the original answers. A body above the size limit matters only where the
  /// signature must be checked: then it is the original's 413.
  Identity identify(const http::ServerRequest& request, const Body& body, bool too_large);

 private:
  Identity basic(const http::ServerRequest& request, std::string_view credentials);
  Identity bearer(std::string_view authorization);
  Identity signed_request(const http::ServerRequest& request, const Body& body, bool too_large);
  Identity of_user(const http::ServerRequest& request, const Row& user);

  Records& records_;
};

/// A password as it is stored: salted, one round. Enough for the throw-away users of a double.
[[nodiscard]] std::string hash_password(std::string_view password);
[[nodiscard]] bool password_matches(std::string_view password, std::string_view stored);

}  // namespace outpost::sample
