#include "agent/log/secret_forms.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/log/redactor.hpp"
#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::log;

namespace {

bool has_form_in(std::string_view secret, std::string_view text) {
  for (const auto& form : forms_of(secret))
    if (text.find(form) != std::string_view::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("a secret shorter than four bytes has no form") {
  CHECK(forms_of("").empty());
  CHECK(forms_of("abc").empty());
  CHECK(forms_of("abcd").count("abcd") == 1);
}

TEST_CASE("no form is shorter than four bytes") {
  for (const auto* secret : {"abcd", "abcde", "a/ \n", "\x01\x02\x03\x04"})
    for (const auto& form : forms_of(secret)) CHECK(form.size() >= 4);
}

TEST_CASE("a secret is found in base64 whatever stands before and after it") {
  for (const std::string secret : {"hunter22", "pass", "s3cr3t!!?>~", "\xff\xfe\xfd\xfc\xfb"})
    for (std::size_t before = 0; before < 7; ++before)
      for (std::size_t after = 0; after < 4; ++after) {
        const auto standard = to_base64(std::string(before, 'x') + secret + std::string(after, '\xff'));
        CHECK(has_form_in(secret, standard));
        CHECK(has_form_in(secret, replace_all(replace_all(standard, "+", "-"), "/", "_")));
      }
}

TEST_CASE("a secret encoded alone is one form with its padding") {
  CHECK(forms_of("hunter22").count("aHVudGVyMjI=") == 1);
  CHECK(forms_of("hunter22").count("aHVudGVyMjI") == 1);
}

TEST_CASE("percent, JSON and hexadecimal forms are those of the usual encoders") {
  const auto forms = forms_of("a/\"b\\ \n\xc3\xa4\xf0\x9f\x98\x80");
  for (const auto* form : {"a%2F%22b%5C%20%0A%C3%A4%F0%9F%98%80",      // urllib.parse.quote(safe="")
                           "a%2f%22b%5c%20%0a%c3%a4%f0%9f%98%80",      //
                           "a/%22b%5C%20%0A%C3%A4%F0%9F%98%80",        // urllib.parse.quote
                           "a%2F%22b%5C+%0A%C3%A4%F0%9F%98%80",        // urllib.parse.quote_plus
                           "a/\\\"b\\\\ \\n\xc3\xa4\xf0\x9f\x98\x80",  // jq
                           "a/\\\"b\\\\ \\n\\u00e4\\ud83d\\ude00",     // json.dumps
                           "a\\/\\\"b\\\\ \\n\\u00e4\\ud83d\\ude00",   // PHP
                           "612f22625c200ac3a4f09f9880", "612F22625C200AC3A4F09F9880"})
    CHECK(forms.count(form) == 1);
}

TEST_CASE("the forms of encoders that escape more, or less, than the standard are known") {
  const auto forms = forms_of("a<b>&'\"c!*()~ +/d");
  for (const auto* form : {"a\\u003cb\\u003e\\u0026'\\\"c!*()~ +/d",                    // Go's encoding/json
                           "a\\u003Cb\\u003E\\u0026'\\\"c!*()~ +/d",                    //
                           "a\\u003cb\\u003e\\u0026\\u0027\\\"c!*()~ +/d",               // Flask's tojson
                           "a\\u003Cb\\u003E\\u0026\\u0027\\u0022c!*()~ \\u002B/d",        // System.Text.Json
                           "a%3Cb%3E%26'%22c!*()~%20%2B%2Fd",                          // encodeURIComponent
                           "a%3Cb%3E&'%22c!*()~%20+/d",                                // encodeURI
                           "a%3Cb%3E%26%27%22c%21%2A%28%29~%20%2B%2Fd",                // jq @uri, curl
                           "a%3Cb%3E%26%27%22c%21*%28%29%7E+%2B%2Fd",                  // URLSearchParams
                           "a%3Cb%3E&%27%22c%21%2A%28%29~%20+%2Fd",                    // Go's PathEscape
                           "a&lt;b&gt;&amp;'\"c!*()~ +/d",                             // xml.sax.saxutils.escape
                           "a&lt;b&gt;&amp;'&quot;c!*()~ +/d",                         // ElementTree's attributes
                           "a&lt;b&gt;&amp;&#x27;&quot;c!*()~ +/d",                    // html.escape
                           "a&lt;b&gt;&amp;&#39;&#34;c!*()~ +/d",                      // Go's encoding/xml
                           "a&lt;b&gt;&amp;&apos;&quot;c!*()~ +/d",                    // Ant, lxml
                           "a&lt;b>&amp;'&quot;c!*()~ +/d"}) {                         // canonical XML's attributes
    INFO(form);
    CHECK(forms.count(form) == 1);
  }
  CHECK(forms_of("a\tb\ncd").count("a&#9;b&#10;cd") == 1);
  CHECK(forms_of("a\tb\ncd").count("a&#x9;b&#xA;cd") == 1);
  CHECK(forms_of("caf\xc3\xa9z").count("caf\\u00E9z") == 1);
}

TEST_CASE("a secret of several lines is hidden line by line, however it is set") {
  std::string secret = "-----BEGIN KEY-----\n";
  std::string body;
  for (int line = 0; line < 4; ++line) {
    body += to_base64("the secret line " + std::to_string(line) + " of a private key") + "\n";
  }
  secret += body + "-----END KEY-----\n";
  Redactor made;
  made.add(secret);
  CHECK(made.redact("<" + secret + ">") == "<***>");
  CHECK(made.redact(replace_all(secret, "\n", "\r\n")) == "***");
  const auto indented = made.redact("    " + replace_all(secret, "\n", "\n    "));
  for (const auto& line : split(body, '\n'))
    if (!line.empty()) CHECK(indented.find(line) == std::string::npos);
  CHECK(indented.find("-----BEGIN KEY-----") != std::string::npos);
  CHECK(made.redact("-----BEGIN KEY-----\n") == "-----BEGIN KEY-----\n");
}

TEST_CASE("a long secret is hidden in base64 that is broken into lines") {
  const std::string secret = sha256_hex("a") + sha256_hex("b") + sha256_hex("c");
  Redactor made;
  made.add(secret);
  for (const std::size_t width : {64U, 76U}) {
    const auto encoded = to_base64(secret);
    std::string broken;
    for (std::size_t at = 0; at < encoded.size(); at += width) broken += encoded.substr(at, width) + "\n";
    const auto hidden = made.redact(broken);
    CHECK(hidden.size() < 40);
  }
}

TEST_CASE("characters may be written as numbers, as XML and HTML allow it") {
  const auto forms = forms_of("pw/1<\xc3\xa4");
  for (const auto* form : {"&#112;&#119;&#47;&#49;&#60;&#228;", "&#x70;&#x77;&#x2f;&#x31;&#x3c;&#xe4;", "&#x70;&#x77;&#x2F;&#x31;&#x3C;&#xE4;",
                           "pw&#47;1&#60;&#228;", "pw&#x2F;1&#x3C;&#xE4;",
                           "pw/1&lt;&#228;", "pw/1&lt;&#xe4;", "pw/1&lt;&#xE4;"})
    CHECK(forms.count(form) == 1);
}

TEST_CASE("a secret is found in UTF-16 of either byte order, and in the base64 of what PowerShell is given") {
  using namespace std::string_literals;
  const std::string secret = "pass\xc3\xa4\xf0\x9f\x98\x80";
  const std::string low_first = "p\0a\0s\0s\0\xe4\0\x3d\xd8\0\xde"s, high_first = "\0p\0a\0s\0s\0\xe4\xd8\x3d\xde\0"s;
  CHECK(forms_of(secret).count(low_first) == 1);
  CHECK(forms_of(secret).count(high_first) == 1);
  CHECK(has_form_in(secret, to_base64("x\0"s + low_first + "y\0"s)));
  CHECK(has_form_in(secret, to_base64("x\0z\0"s + low_first)));
  CHECK(has_form_in("\xff\xfe\xfd\xfc", "a\xff\xfe\xfd\xfc"));  // No text at all, but still itself.
}
