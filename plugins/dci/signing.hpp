#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "agent/http/message.hpp"

#include <string>
#include <string_view>

namespace outpost::dci {

/// Who we are at the control server. The secret never leaves this struct but as a key of HMAC.
struct Credentials {
  std::string client;  ///< "remoteci/<uuid>" or "feeder/<uuid>".
  std::string secret;

  /// The uuid alone.
  [[nodiscard]] std::string id() const;
  bool operator==(const Credentials&) const = default;
};

/// Reads `DCI_CLIENT_ID`: "remoteci/<uuid>", "feeder/<uuid>", or a bare uuid, which is a remoteci's. malformed
/// otherwise.
[[nodiscard]] Result<Credentials> make_credentials(std::string_view client_id, std::string_view secret);

/// The words that differ between the two dialects of the same signature; the server takes both.
struct SignatureScheme {
  std::string_view key_prefix;  ///< Also the first word of the header: "<prefix>-HMAC-SHA256".
  std::string_view region;
  std::string_view terminator;
  std::string_view date_header;  ///< Lower case, as it is signed.
};
inline constexpr SignatureScheme dci2_scheme{"DCI2", "BHS3", "dci2_request", "x-dci-date"};
inline constexpr SignatureScheme aws4_scheme{"AWS4", "us-east-1", "aws4_request", "x-amz-date"};

/// What is signed: the request as the server will see it.
struct ToSign {
  std::string method;
  std::string target;       ///< Path and query as on the wire.
  std::string host;         ///< The Host header: with the port unless it is the scheme's own.
  std::string body_sha256;  ///< 64 hexadecimal digits; of nothing when there is no body.
};

struct Signature {
  std::string date;           ///< "20260115T101112Z", the value of the date header.
  std::string authorization;  ///< The whole value of the Authorization header.
  // For those who look for a difference to another implementation.
  std::string canonical_request, string_to_sign, key_hex;
};

/// DCI protocol §2.1. A pure function. A query parameter without a value is not signed and of a repeated one only the
/// last, as the Python client does; the server sees it otherwise, so neither may be sent.
[[nodiscard]] Signature sign(const ToSign& request, const Credentials& credentials, Timestamp now,
                             const SignatureScheme& scheme = dci2_scheme);

/// Of an empty body.
inline constexpr std::string_view sha256_of_nothing =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// How far apart the two clocks may be before every signature is refused as expired.
inline constexpr std::chrono::minutes clock_window{15};

}  // namespace outpost::dci
