#include "samples/control-server/replay/signing.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"

#include <algorithm>
#include <map>

namespace outpost::replay {
namespace {

std::string value_after(std::string_view word, std::string_view key) {
  if (!word.starts_with(key)) return {};
  word.remove_prefix(key.size());
  if (word.ends_with(',')) word.remove_suffix(1);
  return std::string{word};
}

std::string canonical_query(std::string_view query, QueryStyle style) {
  std::map<std::string, std::string> parameters;
  for (const auto& part : split(query, '&')) {
    if (part.empty()) continue;
    const auto equal = part.find('=');
    const auto value = equal == std::string::npos ? std::string{} : percent_decode(part.substr(equal + 1), true);
    if (value.empty() && style == QueryStyle::without_blanks) continue;
    parameters.emplace(percent_encode(percent_decode(part.substr(0, equal), true)), percent_encode(value));
  }
  std::vector<std::string> pairs;
  for (const auto& [name, value] : parameters) pairs.push_back(name + "=" + value);
  return join(pairs, "&");
}

}  // namespace

std::optional<SignedLine> read_line(std::string_view authorization) {
  const auto words = split(authorization, ' ');
  if (words.size() != 4 || !words[0].ends_with("-HMAC-SHA256")) return {};
  const auto credential = split(value_after(words[1], "Credential="), '/');
  if (credential.size() != 6) return {};
  return SignedLine{words[0],
                    credential[0] + "/" + credential[1],
                    credential[2],
                    credential[3] + "/" + credential[4] + "/" + credential[5],
                    value_after(words[2], "SignedHeaders="),
                    value_after(words[3], "Signature=")};
}

std::string sign(const SignedLine& line, const Signable& request, std::string_view secret, QueryStyle style) {
  const auto question = request.target.find('?');
  const auto path = percent_decode(request.target.substr(0, question));
  const auto query = question == std::string::npos ? std::string{} : request.target.substr(question + 1);
  std::string headers;
  for (const auto& name : split(line.signed_headers, ';'))
    headers += name + ":" + std::string{request.headers.get(name)} + "\n";
  const auto canonical = request.method + "\n" + path + "\n" + canonical_query(query, style) + "\n" + headers + "\n" +
                         line.signed_headers + "\n" + sha256_hex(request.body);
  const auto date_header = request.headers.has("x-amz-date") ? "x-amz-date" : "x-dci-date";
  const auto to_sign = line.scheme + "\n" + std::string{request.headers.get(date_header)} + "\n" + line.date + "/" +
                       line.scope + "\n" + sha256_hex(canonical);
  auto key = replace_all(line.scheme, "-HMAC-SHA256", "") + std::string{secret};
  for (const auto& step : split(line.date + "/" + line.scope, '/')) key = hmac_sha256(key, step);
  return to_hex(hmac_sha256(key, to_sign));
}

}  // namespace outpost::replay
