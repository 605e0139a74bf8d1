#include "agent/http/beast/tls_context.hpp"

#include <cerrno>
#include <new>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

namespace outpost::http {
namespace {

std::string last_reason() {
  const unsigned long code = ::ERR_peek_last_error();
  const char* reason = code ? ::ERR_reason_error_string(code) : nullptr;
  return reason ? reason : "unknown reason";
}

Result<void> check_readable(const char* setting, const std::string& path) {
  if (::access(path.c_str(), R_OK) != 0) return errno_error(std::string{setting} + ": reading", path, errno);
  return {};
}

Error unusable(const char* setting, const std::string& path, const char* wanted) {
  return {Fault::unavailable,
          std::string{setting} + ": " + path + " cannot be used: " + last_reason() + "; it has to hold " + wanted};
}

/// OpenSSL's own would ask for the passphrase on the terminal, and the agent has none.
int no_passphrase(char*, int, int, void*) { return -1; }

SSL_CTX* new_context(const SSL_METHOD* method) {
  SSL_CTX* context = ::SSL_CTX_new(method);
  if (!context) throw std::bad_alloc{};
  ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  ::SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  ::SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);  // Kept connections cost less memory.
  ::SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  return context;
}

struct Names {
  const char *certificate, *key;
};

Result<void> use_identity(SSL_CTX* context, const std::string& certificate_file, const std::string& key_file,
                          Names names) {
  const bool combined = key_file.empty();
  const std::string& key = combined ? certificate_file : key_file;
  if (auto readable = check_readable(names.certificate, certificate_file); !readable) return readable;
  if (auto readable = check_readable(names.key, key); !readable) return readable;
  ::ERR_clear_error();
  if (::SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1)
    return unusable(names.certificate, certificate_file, "a certificate and its chain as PEM");
  if (::SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1)
    return unusable(names.key, key, "the certificate's private key as PEM, without a passphrase");
  return {};
}

}  // namespace

void TlsContext::Free::operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }

Result<TlsContext> TlsContext::client(const std::string& ca_file, const std::string& certificate_file,
                                      const std::string& key_file) {
  TlsContext made{new_context(::TLS_client_method())};
  ::ERR_clear_error();
  if (!ca_file.empty()) {
    if (auto readable = check_readable("ca_file", ca_file); !readable) return readable.error();
    if (::SSL_CTX_load_verify_file(made.get(), ca_file.c_str()) != 1)
      return unusable("ca_file", ca_file, "the certificates of the authorities to trust as PEM");
  } else if (::SSL_CTX_set_default_verify_paths(made.get()) != 1) {
    return Error{Fault::unavailable, "the system's certificate authorities cannot be read: " + last_reason()};
  }
  if (certificate_file.empty() && !key_file.empty())
    return Error{Fault::unavailable, "client_key is set, but client_certificate is not"};
  if (!certificate_file.empty()) {
    auto used = use_identity(made.get(), certificate_file, key_file, {"client_certificate", "client_key"});
    if (!used) return used.error();
  }
  return made;
}

Result<TlsContext> TlsContext::server(const TlsIdentity& identity) {
  TlsContext made{new_context(::TLS_server_method())};
  // No resumption: it would need a session context for verified clients, and our clients keep connections instead.
  ::SSL_CTX_set_session_cache_mode(made.get(), SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_options(made.get(), SSL_OP_NO_TICKET);
  ::SSL_CTX_set_num_tickets(made.get(), 0);
  auto used = use_identity(made.get(), identity.certificate_file, identity.key_file, {"certificate_file", "key_file"});
  if (!used) return used.error();
  if (identity.client_ca_file.empty()) return made;
  if (auto readable = check_readable("client_ca_file", identity.client_ca_file); !readable) return readable.error();
  if (::SSL_CTX_load_verify_file(made.get(), identity.client_ca_file.c_str()) != 1)
    return unusable("client_ca_file", identity.client_ca_file, "the certificates of the authorities of clients as PEM");
  ::SSL_CTX_set_client_CA_list(made.get(), ::SSL_load_client_CA_file(identity.client_ca_file.c_str()));
  ::SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return made;
}

}  // namespace outpost::http
