#pragma once

#include "agent/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace outpost {

/// SHA-256 of a stream, by OpenSSL.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::string_view bytes);
  /// 64 lower-case hexadecimal digits. The object is spent afterwards.
  [[nodiscard]] std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[nodiscard]] std::string sha256_hex(std::string_view bytes);

/// MD5 as 32 lower-case hexadecimal digits: for names that others have made that way, never to trust anything.
[[nodiscard]] std::string md5_hex(std::string_view bytes);

/// HMAC-SHA256 of a stream.
class HmacSha256 {
 public:
  explicit HmacSha256(std::string_view key);
  ~HmacSha256();
  HmacSha256(HmacSha256&&) noexcept;
  HmacSha256& operator=(HmacSha256&&) noexcept;

  void update(std::string_view bytes);
  /// 64 lower-case hexadecimal digits. The object is spent afterwards.
  [[nodiscard]] std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Whether two texts are equal, in a time that does not tell where they differ.
[[nodiscard]] bool equal_in_constant_time(std::string_view left, std::string_view right);

/// HMAC-SHA256 as 32 raw bytes.
[[nodiscard]] std::string hmac_sha256(std::string_view key, std::string_view message);

/// Lower-case hexadecimal digits of raw bytes.
[[nodiscard]] std::string to_hex(std::string_view bytes);

/// Standard base64 with padding (RFC 4648 §4).
[[nodiscard]] std::string to_base64(std::string_view bytes);

/// Hash of `size` bytes of a file from `offset`; reads in pieces, blocks: call it on a worker.
[[nodiscard]] Result<std::string> sha256_of_file(const std::filesystem::path& path, std::uint64_t offset, std::uint64_t size);

}  // namespace outpost
