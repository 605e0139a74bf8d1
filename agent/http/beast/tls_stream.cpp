#include "agent/http/beast/tls_stream.hpp"

#include "agent/http/beast/tls_failure.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <cstring>
#include <new>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace outpost::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t read_size = 64UL * 1024;
constexpr std::size_t write_size = 256UL * 1024;

error_code protocol_error() { return make_error_code(boost::system::errc::protocol_error); }

bool is_address(const std::string& host) {
  ASN1_OCTET_STRING* address = ::a2i_IPADDRESS(host.c_str());
  ::ASN1_OCTET_STRING_free(address);
  return address != nullptr;
}

void expect_host(SSL* session, std::string host) {
  if (host.ends_with('.')) host.pop_back();  // DNS knows the root's dot, certificates do not.
  X509_VERIFY_PARAM* parameters = ::SSL_get0_param(session);
  if (is_address(host)) {
    ::X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str());
    return;  // An address is no server name indication (RFC 6066 §3).
  }
  ::X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  ::X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size());
  ::SSL_set_tlsext_host_name(session, host.c_str());
}

}  // namespace

struct TlsStream::Verification : CertificateProblem {};

void TlsStream::Free::operator()(SSL* session) const { ::SSL_free(session); }

TlsStream::TlsStream(std::unique_ptr<Stream> below, SSL* session)
    : below_{std::move(below)}, verification_{std::make_unique<Verification>()}, session_{session} {
  BIO* bio = session ? ::BIO_new(memory_method()) : nullptr;
  if (!bio) throw std::bad_alloc{};
  ::BIO_set_data(bio, this);
  ::BIO_set_init(bio, 1);
  ::SSL_set_bio(session, bio, bio);  // Takes the one reference for both directions.
  SSL_set_app_data(session, this);
}

TlsStream::TlsStream(std::unique_ptr<Stream> below, const TlsContext& context, const std::string& host)
    : TlsStream{std::move(below), ::SSL_new(context.get())} {
  host_ = host;
  expect_host(session_.get(), host);
  ::SSL_set_verify(session_.get(), SSL_VERIFY_PEER, &TlsStream::verify);
  ::SSL_set_connect_state(session_.get());
}

TlsStream::TlsStream(std::unique_ptr<Stream> below, const TlsContext& context)
    : TlsStream{std::move(below), ::SSL_new(context.get())} {
  ::SSL_set_accept_state(session_.get());
}

TlsStream::~TlsStream() = default;

// OpenSSL's side: it takes what was received and gives what is to be sent, and never waits.

int TlsStream::take(BIO* bio, char* into, int size) {
  auto& self = *static_cast<TlsStream*>(::BIO_get_data(bio));
  ::BIO_clear_retry_flags(bio);
  const std::size_t count = std::min(self.filled_ - self.taken_, static_cast<std::size_t>(size));
  if (count == 0) {
    ::BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(into, self.received_.data() + self.taken_, count);
  self.taken_ += count;
  return static_cast<int>(count);
}

int TlsStream::give(BIO* bio, const char* from, int size) {
  auto& self = *static_cast<TlsStream*>(::BIO_get_data(bio));
  ::BIO_clear_retry_flags(bio);
  self.encrypted_.append(from, static_cast<std::size_t>(size));
  return size;
}

long TlsStream::control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* TlsStream::memory_method() {
  struct Method {
    Method() : method{::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "outpost memory")} {
      if (!method) throw std::bad_alloc{};
      ::BIO_meth_set_read(method, &TlsStream::take);
      ::BIO_meth_set_write(method, &TlsStream::give);
      ::BIO_meth_set_ctrl(method, &TlsStream::control);
    }
    ~Method() { ::BIO_meth_free(method); }
    BIO_METHOD* method;
  };
  static const Method only;  // A table of functions, the same for all.
  return only.method;
}

int TlsStream::verify(int ok, X509_STORE_CTX* store) {
  if (ok == 1) return ok;
  auto* session = static_cast<SSL*>(::X509_STORE_CTX_get_ex_data(store, ::SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& self = *static_cast<TlsStream*>(SSL_get_app_data(session));
  if (self.verification_->code == 0) static_cast<CertificateProblem&>(*self.verification_) = certificate_problem(store);
  return 0;
}

// Our side: moving the bytes.

void TlsStream::note_failure() {
  if (!failure_) failure_ = tls_failure(*verification_, host_);
}

asio::awaitable<error_code> TlsStream::flush() {
  if (flushing_) co_return broken_;  // Whoever flushes already sends these bytes too.
  flushing_ = true;
  while (!encrypted_.empty() && !broken_) {
    sending_.clear();
    sending_.swap(encrypted_);
    broken_ = asio::error::operation_aborted;  // In case that we do not come back from here.
    const Moved moved = co_await below_->write(sending_);
    broken_ = moved.error;
  }
  flushing_ = false;
  co_return broken_;
}

asio::awaitable<error_code> TlsStream::fill() {
  if (taken_ < filled_) co_return error_code{};
  taken_ = filled_ = 0;
  received_.resize(read_size);
  const Moved moved = co_await below_->read_some(received_.data(), received_.size());
  filled_ = moved.bytes;
  // An end without close_notify may be a cut by somebody on the way: not an orderly end.
  co_return moved.error == asio::error::eof ? asio::error::connection_reset : moved.error;
}

asio::awaitable<error_code> TlsStream::handshake() {
  for (;;) {
    ::ERR_clear_error();
    const int result = ::SSL_do_handshake(session_.get());
    const int reason = result == 1 ? SSL_ERROR_NONE : ::SSL_get_error(session_.get(), result);
    const bool failed = reason != SSL_ERROR_NONE && reason != SSL_ERROR_WANT_READ;
    if (failed) note_failure();  // Before the next await: OpenSSL's list of errors belongs to the whole thread.
    const error_code unsent = co_await flush();  // After a failure, this is the alert that tells the peer.
    if (failed) co_return protocol_error();
    if (unsent || reason == SSL_ERROR_NONE) co_return unsent;
    const error_code nothing = co_await fill();
    if (nothing) co_return nothing;
  }
}

asio::awaitable<Moved> TlsStream::read_some(char* into, std::size_t size) {
  for (;;) {
    ::ERR_clear_error();
    std::size_t total = 0;
    std::size_t count = 0;
    int result = 0;
    while (total < size && (result = ::SSL_read_ex(session_.get(), into + total, size - total, &count)) == 1)
      total += count;
    const int reason = result == 1 ? SSL_ERROR_NONE : ::SSL_get_error(session_.get(), result);
    // An error after some bytes comes again at the next call.
    const bool failed =
        total == 0 && reason != SSL_ERROR_NONE && reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_ZERO_RETURN;
    if (failed) note_failure();
    if (!encrypted_.empty()) {  // The answer to a key update or an alert.
      const error_code unsent = co_await flush();
      if (unsent == asio::error::operation_aborted) co_return Moved{unsent, total};
    }
    if (total > 0) co_return Moved{{}, total};
    if (reason == SSL_ERROR_ZERO_RETURN) co_return Moved{asio::error::eof, 0};
    if (failed) co_return Moved{protocol_error(), 0};
    const error_code nothing = co_await fill();
    if (nothing) co_return Moved{nothing, 0};
  }
}

asio::awaitable<Moved> TlsStream::write(std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const std::string_view piece = bytes.substr(done, write_size);
    ::ERR_clear_error();
    std::size_t count = 0;
    if (::SSL_write_ex(session_.get(), piece.data(), piece.size(), &count) != 1) {
      note_failure();
      co_return Moved{protocol_error(), done};
    }
    const error_code unsent = co_await flush();
    if (unsent) co_return Moved{unsent, done};
    done += count;
  }
  co_return Moved{{}, done};
}

asio::awaitable<void> TlsStream::shutdown() {
  if (!failure_ && !broken_ && ::SSL_is_init_finished(session_.get())) {
    ::ERR_clear_error();
    ::SSL_shutdown(session_.get());
    co_await flush();
  }
  co_await below_->shutdown();
}

bool TlsStream::is_readable() const {
  return taken_ < filled_ || ::SSL_pending(session_.get()) > 0 || below_->is_readable();
}

Result<PeerCertificate> TlsStream::peer_certificate() const {
  const auto release = [](X509* certificate) { ::X509_free(certificate); };
  const std::unique_ptr<X509, decltype(release)> certificate{::SSL_get1_peer_certificate(session_.get()), release};
  if (!certificate) return Error{Fault::refused, "the server has shown no certificate"};
  return describe_certificate(certificate.get());
}

}  // namespace outpost::http
