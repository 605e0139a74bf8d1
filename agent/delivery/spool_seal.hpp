#pragma once

#include "agent/base/hash.hpp"
#include "agent/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace outpost::delivery {

/// The key that seals the archives of one remoteci. Made from its secret, which cannot be told from it.
class SpoolKey {
 public:
  SpoolKey() = default;
  SpoolKey(std::string client_id, std::string_view secret);

  /// "remoteci/<uuid>"
  [[nodiscard]] const std::string& client_id() const { return client_id_; }
  [[nodiscard]] HmacSha256 mac() const { return HmacSha256{key_}; }

 private:
  std::string client_id_;
  std::string key_;
};

/// The end of a spool archive: says which version it has and whose it is, and holds an HMAC-SHA256 of everything before
/// itself. To decompressors it is a frame that they skip (RFC 8878 §3.1.2), so `tar tvf` lists an archive as if it were
/// not there.
namespace seal {

inline constexpr int version = 1;
inline constexpr std::size_t size = 512;        ///< Of the whole seal.
inline constexpr std::size_t digest_size = 65;  ///< Hexadecimal digits and a line break: the last bytes of all.

/// The seal up to its digest: what the MAC covers of it.
[[nodiscard]] std::string head(const std::string& client_id);
/// The last bytes.
[[nodiscard]] std::string digest(HmacSha256 mac);

struct Read {
  std::string client_id;  ///< Only a hint until the digest is checked; printable.
  std::string digest;
};
/// Reads the last `size` bytes of a file. malformed: they are no seal; refused: one of a newer version.
[[nodiscard]] Result<Read> read(std::string_view bytes);

/// As it stands in the seal: a name that is too long for it is cut.
[[nodiscard]] std::string name_of(const std::string& client_id);

}  // namespace seal

}  // namespace outpost::delivery
