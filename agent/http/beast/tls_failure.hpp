#pragma once

#include "agent/base/result.hpp"
#include "agent/http/beast/look.hpp"

#include <string>

#include <openssl/types.h>

namespace outpost::http {

/// What the verification of a certificate complained about first; code 0 (X509_V_OK): nothing.
struct CertificateProblem {
  int code = 0;
  bool is_authority = false;  ///< It is not the server's own certificate but one above it.
  std::string subject, issuer;
  std::string names;  ///< The hosts that it is for: "a.example.org, 10.0.0.1".
  std::string not_before, not_after;
};

/// To be called from OpenSSL's verification callback.
[[nodiscard]] CertificateProblem certificate_problem(X509_STORE_CTX* store);

/// What a trusted certificate says.
[[nodiscard]] PeerCertificate describe_certificate(const X509* certificate);

/// Why TLS failed, from OpenSSL's list of errors of this thread (which it clears) and the problem with the certificate.
/// `host` is whom we wanted to speak to; empty on a server. Always Fault::refused.
[[nodiscard]] Error tls_failure(const CertificateProblem& problem, const std::string& host);

}  // namespace outpost::http
