#include "agent/http/beast/tls_failure.hpp"

#include "agent/base/text.hpp"

#include <ctime>
#include <memory>

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace outpost::http {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&::BIO_free)>;

std::string text_of(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return size > 0 ? printable({data, static_cast<std::size_t>(size)}, 300) : std::string{};
}

std::string name_text(const X509_NAME* name) {
  const Bio bio{::BIO_new(::BIO_s_mem()), &::BIO_free};
  ::X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  return text_of(bio);
}

std::string time_text(const ASN1_TIME* time) {
  const Bio bio{::BIO_new(::BIO_s_mem()), &::BIO_free};
  ::ASN1_TIME_print_ex(bio.get(), time, ASN1_DTFLGS_ISO8601);
  return text_of(bio);
}

std::string address_text(const ASN1_OCTET_STRING* bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  const int size = ::ASN1_STRING_length(bytes);
  if (size == 4 || size == 16)
    ::inet_ntop(size == 4 ? AF_INET : AF_INET6, ::ASN1_STRING_get0_data(bytes), text, sizeof text);
  return text;
}

std::string host_names(const X509* certificate) {
  const auto free_names = [](GENERAL_NAMES* names) { ::GENERAL_NAMES_free(names); };
  const std::unique_ptr<GENERAL_NAMES, decltype(free_names)> names{
      static_cast<GENERAL_NAMES*>(::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)), free_names};
  std::vector<std::string> hosts;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_IPADD) hosts.push_back(address_text(name->d.iPAddress));
    if (name->type == GEN_DNS)
      hosts.emplace_back(reinterpret_cast<const char*>(::ASN1_STRING_get0_data(name->d.dNSName)),
                         static_cast<std::size_t>(::ASN1_STRING_length(name->d.dNSName)));
  }
  return printable(join(hosts, ", "), 300);
}

std::string certificate_sentence(const CertificateProblem& problem, const std::string& host) {
  const std::string which = problem.is_authority ? "the authority's certificate \"" + problem.subject + "\""
                                                 : "the server's certificate \"" + problem.subject + "\"";
  switch (problem.code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return which + " expired on " + problem.not_after + "; renew it, or correct this machine's clock";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return which + " is valid only from " + problem.not_before + " on; is this machine's clock right?";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return which + " is for " + (problem.names.empty() ? "no host" : problem.names) + ", not for " + host +
             "; use a name of the certificate in the URL";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return which + " is self-signed; if it really is the server's, set ca_file to a file with it";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return which + " is signed by an unknown issuer, \"" + problem.issuer +
             "\"; if you trust it, set ca_file to a file with the issuer's certificate";
    default: return which + " cannot be trusted: " + ::X509_verify_cert_error_string(problem.code);
  }
}

std::string reason_sentence(unsigned long code) {
  const char* known = code ? ::ERR_reason_error_string(code) : nullptr;
  const std::string reason = known ? known : "unknown reason";
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return "TLS failed: " + reason;
  switch (ERR_GET_REASON(code)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_BAD_RECORD_TYPE:
      return "this port does not speak TLS (" + reason + "); is it http instead of https, or another port?";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
      return "no common TLS version (" + reason + "); TLS 1.2 or 1.3 is required, so the server has to be updated";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return "the server wants a client certificate; set client_certificate and client_key";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
      return "the server refused our client certificate (" + reason + "); check client_certificate and client_key";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return "the server ended the TLS handshake (" + reason +
             "); it may want a client certificate (client_certificate, client_key), or no cipher is common";
    case SSL_R_TLSV1_UNRECOGNIZED_NAME: return "the server does not know the host name of the URL (" + reason + ")";
    default: return "TLS failed: " + reason;
  }
}

}  // namespace

CertificateProblem certificate_problem(X509_STORE_CTX* store) {
  CertificateProblem problem;
  problem.code = ::X509_STORE_CTX_get_error(store);
  problem.is_authority = ::X509_STORE_CTX_get_error_depth(store) > 0;
  const X509* certificate = ::X509_STORE_CTX_get_current_cert(store);
  if (!certificate) return problem;
  problem.subject = name_text(::X509_get_subject_name(certificate));
  problem.issuer = name_text(::X509_get_issuer_name(certificate));
  problem.names = host_names(certificate);
  problem.not_before = time_text(::X509_get0_notBefore(certificate));
  problem.not_after = time_text(::X509_get0_notAfter(certificate));
  return problem;
}

PeerCertificate describe_certificate(const X509* certificate) {
  PeerCertificate described{name_text(::X509_get_subject_name(certificate)), name_text(::X509_get_issuer_name(certificate))};
  std::tm end{};
  if (::ASN1_TIME_to_tm(::X509_get0_notAfter(certificate), &end) == 1)
    described.not_after = Timestamp{std::chrono::seconds{::timegm(&end)}};
  return described;
}

Error tls_failure(const CertificateProblem& problem, const std::string& host) {
  const unsigned long code = ::ERR_peek_error();
  ::ERR_clear_error();
  if (problem.code != X509_V_OK) return {Fault::refused, certificate_sentence(problem, host)};
  return {Fault::refused, reason_sentence(code)};
}

}  // namespace outpost::http
