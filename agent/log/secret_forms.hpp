#pragma once

#include "agent/base/shortest_secret.hpp"

#include <set>
#include <string>
#include <string_view>

namespace outpost::log {

/// The ways in which a secret may appear in output, each at least shortest_secret bytes long:
/// * as it is;
/// * in hexadecimal, lower and upper case;
/// * in base64, standard and URL-safe, whatever stands before and after it in the encoded text (three alignments; the
///   digits that it shares with its neighbours are part of a form only where the secret is at the end). Broken into
///   lines of 64 or 76 digits it is found when it was encoded alone, else an encoder that breaks lines hides it from
///   us;
/// * of several lines: with CR LF, and each line of at least 16 bytes by itself, but for the frames of PEM;
/// * percent-encoded (RFC 3986), with upper and lower case digits, also with what JavaScript, Go, Java and PHP keep or
///   encode besides, and as a form does it (' ' as '+');
/// * as inside a JSON string, plain and with everything but ASCII as \uXXXX, each with '/' and with '\/', also with the
///   characters that are special in HTML as \uXXXX (Go, Flask, .NET), in both letter cases;
/// * as inside XML or HTML: &amp; &lt; &gt; &quot; &#39; &apos; and the other ways to write these, blanks as &#10;; also
///   with all characters, all but letters and digits, or all but ASCII as numbers, &#233; &#xe9; and &#xE9;;
/// * in UTF-16 of either byte order, and that of the lower one in base64 (PowerShell), as above.
/// Nothing for a secret that is too short.
[[nodiscard]] std::set<std::string> forms_of(std::string_view secret);

}  // namespace outpost::log
