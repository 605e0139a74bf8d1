#pragma once

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace outpost::test {

/// A certificate and its private key as PEM files.
struct Identity {
  std::filesystem::path certificate, key;
};

struct CertificateWish {
  std::string name = "server";                                      ///< Common name, and the name of the files.
  std::vector<std::string> hosts{"127.0.0.1", "::1", "localhost"};  ///< Names and addresses.
  long valid_from = -3600, valid_until = 24 * 3600;                 ///< Seconds from now.
};

/// Makes certificates for tests: a fresh authority in a directory, and what it signs. Link OpenSSL::Crypto.
class CertificateAuthority {
 public:
  explicit CertificateAuthority(std::filesystem::path directory, const std::string& name = "test-ca")
      : directory_{std::move(directory)} {
    CertificateWish wish;
    wish.name = name;
    wish.hosts.clear();
    key_ = new_key();
    certificate_ = signed_certificate(wish, key_.get(), nullptr, true);
    file_ = write(wish.name, certificate_.get(), key_.get()).certificate;
  }

  /// What a client sets as its ca_file.
  [[nodiscard]] std::string file() const { return file_.string(); }

  [[nodiscard]] Identity issue(const CertificateWish& wish = {}) const {
    const Key key = new_key();
    return write(wish.name, signed_certificate(wish, key.get(), this, false).get(), key.get());
  }

  /// One that nobody but itself vouches for.
  [[nodiscard]] Identity self_signed(const CertificateWish& wish = {}) const {
    const Key key = new_key();
    return write(wish.name, signed_certificate(wish, key.get(), nullptr, false).get(), key.get());
  }

 private:
  template <auto function>
  struct Free {
    template <class T>
    void operator()(T* object) const {
      function(object);
    }
  };
  using Key = std::unique_ptr<EVP_PKEY, Free<&::EVP_PKEY_free>>;
  using Certificate = std::unique_ptr<X509, Free<&::X509_free>>;
  using Extension = std::unique_ptr<X509_EXTENSION, Free<&::X509_EXTENSION_free>>;

  static Key new_key() { return Key{EVP_EC_gen("P-256")}; }

  static void extend(X509* certificate, X509V3_CTX* context, int nid, const std::string& value) {
    const Extension extension{::X509V3_EXT_conf_nid(nullptr, context, nid, value.c_str())};
    if (!extension) throw std::runtime_error{"cannot make the extension " + value};
    ::X509_add_ext(certificate, extension.get(), -1);
  }

  static Certificate signed_certificate(const CertificateWish& wish, EVP_PKEY* key, const CertificateAuthority* by,
                                        bool is_authority) {
    Certificate certificate{::X509_new()};
    X509* made = certificate.get();
    ::X509_set_version(made, X509_VERSION_3);
    ::ASN1_INTEGER_set_int64(::X509_get_serialNumber(made),
                             static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(key)));
    ::X509_gmtime_adj(X509_getm_notBefore(made), wish.valid_from);
    ::X509_gmtime_adj(X509_getm_notAfter(made), wish.valid_until);
    ::X509_set_pubkey(made, key);
    const auto* name = reinterpret_cast<const unsigned char*>(wish.name.c_str());
    ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(made), "CN", MBSTRING_UTF8, name, -1, -1, 0);
    ::X509_set_issuer_name(made, ::X509_get_subject_name(by ? by->certificate_.get() : made));

    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    ::X509V3_set_ctx(&context, by ? by->certificate_.get() : made, made, nullptr, nullptr, 0);
    extend(made, &context, NID_basic_constraints, is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    extend(made, &context, NID_subject_key_identifier, "hash");
    std::string names;
    for (const auto& host : wish.hosts) {
      unsigned char bytes[16];
      const bool is_address =
          ::inet_pton(AF_INET, host.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
      names += (names.empty() ? "" : ",") + std::string{is_address ? "IP:" : "DNS:"} + host;
    }
    if (!names.empty()) extend(made, &context, NID_subject_alt_name, names);
    if (::X509_sign(made, by ? by->key_.get() : key, ::EVP_sha256()) == 0) throw std::runtime_error{"cannot sign"};
    return certificate;
  }

  [[nodiscard]] Identity write(const std::string& name, X509* certificate, EVP_PKEY* key) const {
    const Identity identity{directory_ / (name + ".crt"), directory_ / (name + ".key")};
    using File = std::unique_ptr<std::FILE, Free<&std::fclose>>;
    const File certificate_file{std::fopen(identity.certificate.c_str(), "w")};
    const File key_file{std::fopen(identity.key.c_str(), "w")};
    if (!certificate_file || !key_file) throw std::runtime_error{"cannot write " + identity.certificate.string()};
    ::PEM_write_X509(certificate_file.get(), certificate);
    ::PEM_write_PrivateKey(key_file.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
    return identity;
  }

  std::filesystem::path directory_, file_;
  Key key_;
  Certificate certificate_;
};

}  // namespace outpost::test
