#include "plugins/dci/signing.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/ids.hpp"
#include "agent/base/text.hpp"

#include <map>

namespace outpost::dci {
namespace {

std::string canonical_query(std::string_view query) {
  std::map<std::string, std::string> parameters;
  for (const auto& part : split(query, '&')) {
    const auto at = part.find('=');
    if (at == std::string::npos || at + 1 == part.size()) continue;
    parameters[percent_decode(part.substr(0, at), true)] = percent_decode(part.substr(at + 1), true);
  }
  // Sorted by what is on the wire: the order of encoded names is not that of decoded ones.
  std::map<std::string, std::string> encoded;
  for (const auto& [name, value] : parameters) encoded[percent_encode(name)] = percent_encode(value);
  std::string text;
  for (const auto& [name, value] : encoded) {
    if (!text.empty()) text += '&';
    text += name + '=' + value;
  }
  return text;
}

}  // namespace

std::string Credentials::id() const { return client.substr(client.find('/') + 1); }

Result<Credentials> make_credentials(std::string_view client_id, std::string_view secret) {
  std::string client{trim(client_id)};
  if (is_uuid(client)) client = "remoteci/" + client;
  const auto at = client.find('/');
  const std::string kind = client.substr(0, at);
  if (at == std::string::npos || (kind != "remoteci" && kind != "feeder") || !is_uuid(client.substr(at + 1)))
    return Error{Fault::malformed, "the client id \"" + printable(client, 100) +
                                       "\" is not one (example: remoteci/1d2f9a3c-0b4e-4c5d-8e6f-7a8b9c0d1e2f; in "
                                       "credentials files it is DCI_CLIENT_ID)"};
  const std::string_view trimmed = trim(secret);
  if (trimmed.empty())
    return Error{Fault::malformed, "the API secret is empty (in credentials files it is DCI_API_SECRET)"};
  return Credentials{client, std::string{trimmed}};
}

Signature sign(const ToSign& request, const Credentials& credentials, Timestamp now, const SignatureScheme& scheme) {
  const auto question = request.target.find('?');
  const std::string path = request.target.substr(0, question);
  const std::string query = question == std::string::npos ? "" : request.target.substr(question + 1);

  Signature signature;
  signature.date = to_basic_utc(now);
  const std::string day = signature.date.substr(0, 8);
  const std::string scope = day + '/' + std::string{scheme.region} + "/api/" + std::string{scheme.terminator};
  const std::string signed_headers = "host;" + std::string{scheme.date_header};
  // Decoded twice: the server gets a decoded path from its framework and decodes it once more.
  signature.canonical_request = request.method + '\n' + percent_decode(percent_decode(path)) + '\n' +
                                canonical_query(query) + "\nhost:" + request.host + '\n' +
                                std::string{scheme.date_header} + ':' + signature.date + "\n\n" + signed_headers +
                                '\n' + request.body_sha256;
  const std::string algorithm = std::string{scheme.key_prefix} + "-HMAC-SHA256";
  signature.string_to_sign =
      algorithm + '\n' + signature.date + '\n' + scope + '\n' + sha256_hex(signature.canonical_request);

  std::string key = hmac_sha256(std::string{scheme.key_prefix} + credentials.secret, day);
  for (const std::string_view part : {scheme.region, std::string_view{"api"}, scheme.terminator})
    key = hmac_sha256(key, part);
  signature.key_hex = to_hex(key);
  // One line and exactly these spaces: the server splits at them and answers 500 to anything else.
  signature.authorization = algorithm + " Credential=" + credentials.client + '/' + scope +
                            ", SignedHeaders=" + signed_headers +
                            ", Signature=" + to_hex(hmac_sha256(key, signature.string_to_sign));
  return signature;
}

}  // namespace outpost::dci
