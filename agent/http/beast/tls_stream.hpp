#pragma once

#include "agent/http/beast/look.hpp"
#include "agent/http/beast/stream.hpp"
#include "agent/http/beast/tls_context.hpp"

#include <optional>
#include <string>
#include <vector>

#include <openssl/bio.h>
#include <openssl/types.h>

namespace outpost::http {

/// TLS over any other stream, also over TLS (an https server behind an https proxy).
///
/// OpenSSL works on memory here and the bytes are moved by us, instead of asio::ssl::stream, for three reasons measured
/// or needed: a 256 KiB piece is encrypted in one go and leaves in one system call instead of sixteen, any stream can
/// lie below without another template instantiation, and reading while writing needs no strand-like bookkeeping.
class TlsStream final : public Stream {
 public:
  /// The server has to prove that it is `host`, a name or an IP address.
  TlsStream(std::unique_ptr<Stream> below, const TlsContext& context, const std::string& host);
  /// The server's side.
  TlsStream(std::unique_ptr<Stream> below, const TlsContext& context);
  ~TlsStream() override;

  /// To be called once, before anything else.
  boost::asio::awaitable<boost::system::error_code> handshake();

  boost::asio::awaitable<Moved> read_some(char* into, std::size_t size) override;
  boost::asio::awaitable<Moved> write(std::string_view bytes) override;
  /// close_notify: without it the peer cannot tell our end from a cut.
  boost::asio::awaitable<void> shutdown() override;
  /// For a person: which certificate, why, and what to set. Always refused.
  [[nodiscard]] const Error* failure() const override { return failure_ ? &*failure_ : nullptr; }
  /// After a handshake as a client.
  [[nodiscard]] Result<PeerCertificate> peer_certificate() const;
  [[nodiscard]] bool is_readable() const override;
  [[nodiscard]] SocketStream& socket() override { return below_->socket(); }

 private:
  struct Free {
    void operator()(SSL* session) const;
  };
  struct Verification;  // What the verification of the peer's certificate complained about.

  TlsStream(std::unique_ptr<Stream> below, SSL* session);
  boost::asio::awaitable<boost::system::error_code> flush();
  boost::asio::awaitable<boost::system::error_code> fill();
  void note_failure();
  static int take(BIO* bio, char* into, int size);
  static int give(BIO* bio, const char* from, int size);
  static long control(BIO* bio, int command, long number, void* pointer);
  static BIO_METHOD* memory_method();
  static int verify(int ok, X509_STORE_CTX* store);

  std::unique_ptr<Stream> below_;
  std::unique_ptr<Verification> verification_;
  std::unique_ptr<SSL, Free> session_;
  std::string host_;
  std::vector<char> received_;  // Encrypted; from taken_ to filled_ still to be decrypted.
  std::size_t taken_ = 0, filled_ = 0;
  std::string encrypted_, sending_;  // What OpenSSL produces is collected in one while the other is on its way.
  bool flushing_ = false;
  boost::system::error_code broken_;
  std::optional<Error> failure_;
};

}  // namespace outpost::http
