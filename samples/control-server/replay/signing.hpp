#pragma once

#include "agent/http/message.hpp"
#include "samples/control-server/replay/recording.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace outpost::replay {

/// A signed Authorization line, taken apart.
struct SignedLine {
  std::string scheme, client, date, scope;  ///< scope: region/service/request type.
  std::string signed_headers, signature;
};
[[nodiscard]] std::optional<SignedLine> read_line(std::string_view authorization);

/// How a client may have built the query that it signed.
enum class QueryStyle { as_sent, without_blanks };

struct Signable {
  std::string method, target;
  http::Headers headers;
  std::string_view body;
};

/// The signature of a request by the protocol's description (§2.1), from the client's side.
[[nodiscard]] std::string sign(const SignedLine& line, const Signable& request, std::string_view secret,
                               QueryStyle style);

}  // namespace outpost::replay
