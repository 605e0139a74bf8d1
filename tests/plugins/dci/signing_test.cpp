#include "plugins/dci/signing.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "plugins/dci/test_data.hpp"
#include "support/catch.hpp"

namespace outpost::dci {
namespace {

using test::recorded;
using test::text;

/// "20250115T101112Z"
Timestamp moment(const std::string& date) {
  return *parse_rfc3339(date.substr(0, 4) + "-" + date.substr(4, 2) + "-" + date.substr(6, 5) + ":" +
                        date.substr(11, 2) + ":" + date.substr(13));
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(at, 2), nullptr, 16));
  return bytes;
}

TEST_CASE("the 13 signature vectors are reproduced, step by step") {
  const auto vectors = recorded("signature-vectors.json");
  REQUIRE(vectors.get_array().size() == 13);
  for (const auto& vector : vectors.get_array()) {
    const auto& fields = vector.get_object();
    CAPTURE(text(fields.at("name")));
    const std::string url = text(fields.at("url"));
    const auto path = url.find('/', url.find("://") + 3);
    const std::string body =
        fields.at("body_hex").is_string() ? from_hex(text(fields.at("body_hex"))) : text(fields.at("body_utf8"));
    const bool aws4 = text(fields.at("authorization")).starts_with("AWS4");
    const Signature signature =
        sign({text(fields.at("method")), url.substr(path), text(fields.at("host")), sha256_hex(body)},
             {text(fields.at("access_key")), text(fields.at("secret_key"))}, moment(text(fields.at("timestamp"))),
             aws4 ? aws4_scheme : dci2_scheme);
    CHECK(signature.canonical_request == text(fields.at("canonical_request")));
    CHECK(signature.string_to_sign == text(fields.at("string_to_sign")));
    if (fields.at("signing_key_hex").is_string()) CHECK(signature.key_hex == text(fields.at("signing_key_hex")));
    CHECK(signature.authorization == text(fields.at("authorization")));
  }
}

TEST_CASE("every recorded Authorization header that was validly signed is reproduced") {
  const auto data = recorded("recorded-signatures.json");
  const auto& requests = data.at("requests").get_array();
  REQUIRE(requests.size() == 163);
  for (const auto& request : requests) {
    const auto& row = request.get_array();
    CAPTURE(text(row[0]));
    const auto& key = data.at("keys").at(text(row[6])).get_object();
    const auto credentials = make_credentials(text(key.at("client_id")), text(key.at("secret")));
    REQUIRE(credentials);
    const std::string date = text(row[4]);
    const Signature signature =
        sign({text(row[1]), text(row[2]), text(row[3]), text(row[5])}, *credentials, moment(date));
    CHECK(signature.date == date);
    CHECK(signature.authorization ==
          "DCI2-HMAC-SHA256 Credential=" + credentials->client + "/" + date.substr(0, 8) +
              "/BHS3/api/dci2_request, SignedHeaders=host;x-dci-date, Signature=" + text(row[7]));
  }
}

TEST_CASE("a path that still holds a percent sign after decoding is decoded once more, as the server does") {
  const Credentials someone{"remoteci/1d2f9a3c-0b4e-4c5d-8e6f-7a8b9c0d1e2f", "s"};
  const auto canonical = [&](const std::string& target) {
    return split(sign({"GET", target, "h", std::string{sha256_of_nothing}}, someone, Timestamp{}).canonical_request,
                 '\n')
        .at(1);
  };
  CHECK(canonical("/a%2541") == "/aA");
  CHECK(canonical("/100%25") == "/100%");
  CHECK(canonical("/a%20b") == "/a b");
}

TEST_CASE("the query is sorted by its encoded form") {
  const Credentials someone{"remoteci/1d2f9a3c-0b4e-4c5d-8e6f-7a8b9c0d1e2f", "s"};
  // '~' stays and is 0x7E; 'é' becomes %C3%A9, which sorts before it though its bytes are larger.
  const auto request =
      sign({"GET", "/x?~=1&%C3%A9=2", "h", std::string{sha256_of_nothing}}, someone, Timestamp{}).canonical_request;
  CHECK(split(request, '\n').at(2) == "%C3%A9=2&~=1");
}

TEST_CASE("a client id is a remoteci's or a feeder's, and a bare uuid is a remoteci's") {
  const std::string uuid = "1d2f9a3c-0b4e-4c5d-8e6f-7a8b9c0d1e2f";
  CHECK(make_credentials(uuid, "s")->client == "remoteci/" + uuid);
  CHECK(make_credentials(" remoteci/" + uuid + "\n", "s\n")->secret == "s");
  CHECK(make_credentials("feeder/" + uuid, "s")->id() == uuid);
  CHECK_FALSE(make_credentials("agent/" + uuid, "s"));
  CHECK_FALSE(make_credentials("remoteci/lab", "s"));
  CHECK_FALSE(make_credentials("", "s"));
  const auto no_secret = make_credentials(uuid, " ");
  REQUIRE_FALSE(no_secret);
  CHECK(no_secret.error().message.find("DCI_API_SECRET") != std::string::npos);
  const auto wrong = make_credentials("lab", "the-secret-itself");
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().message.find("the-secret-itself") == std::string::npos);
}

}  // namespace
}  // namespace outpost::dci
