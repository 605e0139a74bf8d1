#pragma once

#include <set>
#include <string>
#include <string_view>

namespace outpost::log {

/// Shorter secrets, and shorter forms of one, would redact half of every log.
inline constexpr std::size_t shortest_secret = 4;

/// The ways in which a secret may appear in output, each at least shortest_secret bytes long:
/// * as it is;
/// * in hexadecimal, lower and upper case;
/// * in base64, standard and URL-safe, whatever stands before and after it in the encoded text (three alignments; the
///   digits that it shares with its neighbours are part of a form only where the secret is at the end). Broken into
///   lines of 64 or 76 digits it is found when it was encoded alone, else an encoder that breaks lines hides it from
///   us;
/// * of several lines: with CR LF, and each line of at least 16 bytes by itself, but for the frames of PEM;
/// * percent-encoded (RFC 3986), with upper and lower case digits, with '/' kept, and as a form does it (' ' as '+');
/// * as inside a JSON string, plain and with everything but ASCII as \uXXXX, each with '/' and with '\/'.
/// Nothing for a secret that is too short.
[[nodiscard]] std::set<std::string> forms_of(std::string_view secret);

}  // namespace outpost::log
