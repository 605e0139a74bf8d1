#include "agent/delivery/spool_seal.hpp"

#include "agent/base/text.hpp"

#include <charconv>

namespace outpost::delivery {
namespace {

constexpr std::string_view frame{"\x50\x2a\x4d\x18", 4};  // The first of the sixteen numbers of a skippable frame.
constexpr std::string_view magic = "outpost-spool ";
constexpr std::string_view before_digest = "hmac-sha256 ";
constexpr std::size_t longest_name = 256;

std::string little_endian(std::uint32_t number) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(number >> shift);
  return bytes;
}

}  // namespace

SpoolKey::SpoolKey(std::string client_id, std::string_view secret)
    : client_id_{std::move(client_id)}, key_{hmac_sha256(secret, "outpost spool archive\n" + client_id_)} {}

namespace seal {

std::string name_of(const std::string& client_id) { return printable(client_id, longest_name); }

std::string head(const std::string& client_id) {
  std::string text{frame};
  text += little_endian(size - frame.size() - sizeof(std::uint32_t));
  text += std::string{magic} + std::to_string(version) + "\n" + name_of(client_id) + "\n";
  text.resize(size - digest_size - before_digest.size() - 1, ' ');
  return text + "\n" + std::string{before_digest};
}

std::string digest(HmacSha256 mac) { return mac.hex() + "\n"; }

Result<Read> read(std::string_view bytes) {
  const Error none{Fault::malformed, "it has no seal at its end"};
  if (bytes.size() != size || !bytes.starts_with(frame)) return none;
  const auto lines = split(bytes.substr(frame.size() + sizeof(std::uint32_t)), '\n');
  if (lines.size() < 4 || !lines[0].starts_with(magic)) return none;
  const char* number = lines[0].data() + magic.size();
  int written = 0;
  const auto [rest, error] = std::from_chars(number, lines[0].data() + lines[0].size(), written);
  if (error != std::errc{} || rest != lines[0].data() + lines[0].size() || written < 1) return none;
  if (written > version)
    return Error{Fault::refused, "it has the format " + std::to_string(written) +
                                     " of a newer outpost; this one (" OUTPOST_VERSION ") reads format " +
                                     std::to_string(version) + ": update it on this host"};
  return Read{printable(lines[1], longest_name), std::string{bytes.substr(size - digest_size)}};
}

}  // namespace seal

}  // namespace outpost::delivery
