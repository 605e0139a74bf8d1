#pragma once

#include "agent/base/result.hpp"
#include "agent/http/server.hpp"

#include <memory>
#include <string>

#include <openssl/types.h>

namespace outpost::http {

/// What many TLS connections share: trust, our own certificate, TLS 1.2 as the oldest version.
class TlsContext {
 public:
  /// Always verifies the server. Trusts `ca_file` alone, or the system's store when it is empty. The certificate may be
  /// empty; an empty key file means that the key is in the certificate's file.
  [[nodiscard]] static Result<TlsContext> client(const std::string& ca_file, const std::string& certificate_file,
                                                 const std::string& key_file);
  /// With a client CA, clients without a certificate of it are refused.
  [[nodiscard]] static Result<TlsContext> server(const TlsIdentity& identity);

  [[nodiscard]] SSL_CTX* get() const { return context_.get(); }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const;
  };
  explicit TlsContext(SSL_CTX* context) : context_{context} {}

  std::unique_ptr<SSL_CTX, Free> context_;
};

}  // namespace outpost::http
