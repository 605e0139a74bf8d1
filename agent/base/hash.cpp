#include "agent/base/hash.hpp"

#include "agent/base/md5.hpp"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <vector>

namespace outpost {

namespace {

/// Looked up once: OpenSSL takes longer to find an algorithm by its name than to hash a short text. Never freed, for
/// hashes are made until the very end.
const EVP_MD* sha256_method() {
  static const EVP_MD* const method = ::EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return method;
}

}  // namespace

struct Sha256::State {
  EVP_MD_CTX* context = ::EVP_MD_CTX_new();
  ~State() { ::EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_{std::make_unique<State>()} {
  if (::EVP_DigestInit_ex(state_->context, sha256_method(), nullptr) != 1) throw std::runtime_error{"OpenSSL has no SHA-256"};
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) { ::EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()); }

std::string Sha256::hex() {
  std::array<unsigned char, 32> digest{};
  ::EVP_DigestFinal_ex(state_->context, digest.data(), nullptr);
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

struct HmacSha256::State {
  EVP_MAC* method = ::EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  EVP_MAC_CTX* context = ::EVP_MAC_CTX_new(method);
  ~State() {
    ::EVP_MAC_CTX_free(context);
    ::EVP_MAC_free(method);
  }
};

HmacSha256::HmacSha256(std::string_view key) : state_{std::make_unique<State>()} {
  std::string digest = "SHA256";
  const std::array<OSSL_PARAM, 2> parameters{::OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
                                             ::OSSL_PARAM_construct_end()};
  // A seal that were made or checked without its key would be worse than none.
  if (!state_->context || ::EVP_MAC_init(state_->context, reinterpret_cast<const unsigned char*>(key.data()), key.size(), parameters.data()) != 1)
    throw std::runtime_error{"OpenSSL does not offer HMAC-SHA256"};
}
HmacSha256::~HmacSha256() = default;
HmacSha256::HmacSha256(HmacSha256&&) noexcept = default;
HmacSha256& HmacSha256::operator=(HmacSha256&&) noexcept = default;

void HmacSha256::update(std::string_view bytes) {
  if (::EVP_MAC_update(state_->context, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) != 1)
    throw std::runtime_error{"OpenSSL failed to compute an HMAC"};
}

std::string HmacSha256::hex() {
  std::array<unsigned char, 32> digest{};
  std::size_t size = 0;
  if (::EVP_MAC_final(state_->context, digest.data(), &size, digest.size()) != 1 || size != digest.size())
    throw std::runtime_error{"OpenSSL failed to compute an HMAC"};
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

struct Md5::State {
  // Also on a machine that allows only FIPS's algorithms: this protects nothing.
  EVP_MD* method = ::EVP_MD_fetch(nullptr, "MD5", "-fips");
  EVP_MD_CTX* context = ::EVP_MD_CTX_new();
  ~State() {
    ::EVP_MD_CTX_free(context);
    ::EVP_MD_free(method);
  }
};

Md5::Md5() : state_{std::make_unique<State>()} {
  if (!state_->method || ::EVP_DigestInit_ex(state_->context, state_->method, nullptr) != 1) throw std::runtime_error{"OpenSSL has no MD5"};
}
Md5::~Md5() = default;
Md5::Md5(Md5&&) noexcept = default;
Md5& Md5::operator=(Md5&&) noexcept = default;

void Md5::update(std::string_view bytes) { ::EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()); }

std::string Md5::hex() {
  std::array<unsigned char, 16> digest{};
  ::EVP_DigestFinal_ex(state_->context, digest.data(), nullptr);
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string md5_hex(std::string_view bytes) {
  Md5 hash;
  hash.update(bytes);
  return hash.hex();
}

bool equal_in_constant_time(std::string_view left, std::string_view right) {
  return left.size() == right.size() && ::CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

std::string hmac_sha256(std::string_view key, std::string_view message) {
  std::string digest(32, '\0');
  unsigned size = 32;
  ::HMAC(sha256_method(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(message.data()),
         message.size(), reinterpret_cast<unsigned char*>(digest.data()), &size);
  return digest;
}

std::string to_hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    text += digits[static_cast<unsigned char>(byte) >> 4];
    text += digits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

std::string to_base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

namespace {

template <class Hash>
Result<std::string> hash_of_file(const std::filesystem::path& path, std::uint64_t offset, std::uint64_t size) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return errno_error("cannot open", path.native(), errno);
  Hash hash;
  std::vector<char> buffer(256 * 1024);
  while (size > 0) {
    const std::size_t wanted = size < buffer.size() ? static_cast<std::size_t>(size) : buffer.size();
    const ssize_t got = ::pread(file, buffer.data(), wanted, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      const int code = got < 0 ? errno : 0;
      ::close(file);
      if (code != 0) return errno_error("cannot read", path.native(), code);
      return Error{Fault::malformed, path.string() + ": shorter than recorded (changed while it was read?)"};
    }
    hash.update({buffer.data(), static_cast<std::size_t>(got)});
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::uint64_t>(got);
  }
  ::close(file);
  return hash.hex();
}

}  // namespace

Result<std::string> sha256_of_file(const std::filesystem::path& path, std::uint64_t offset, std::uint64_t size) {
  return hash_of_file<Sha256>(path, offset, size);
}

Result<std::string> md5_of_file(const std::filesystem::path& path, std::uint64_t offset, std::uint64_t size) {
  return hash_of_file<Md5>(path, offset, size);
}

}  // namespace outpost
