#include "samples/control-server/authentication.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "samples/control-server/errors.hpp"
#include "samples/control-server/schemas.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace outpost::sample {
namespace {

/// Base64 of either alphabet, with or without padding; what is no digit is skipped, as Python does.
std::string from_base64(std::string_view text) {
  std::string bytes;
  unsigned buffer = 0;
  int bits = 0;
  for (const char c : text) {
    int digit = -1;
    if (c >= 'A' && c <= 'Z')
      digit = c - 'A';
    else if (c >= 'a' && c <= 'z')
      digit = c - 'a' + 26;
    else if (c >= '0' && c <= '9')
      digit = c - '0' + 52;
    else if (c == '+' || c == '-')
      digit = 62;
    else if (c == '/' || c == '_')
      digit = 63;
    if (digit < 0) continue;
    buffer = buffer << 6 | static_cast<unsigned>(digit);
    bits += 6;
    if (bits >= 8) bytes += static_cast<char>(buffer >> (bits -= 8) & 0xFF);
  }
  return bytes;
}

/// The text between `first` and `last`, or "".
std::string between(std::string_view text, std::string_view first, std::string_view last) {
  const auto start = text.find(first);
  if (start == std::string_view::npos) return {};
  const auto end = text.find(last, start + first.size());
  if (end == std::string_view::npos) return {};
  return std::string{text.substr(start + first.size(), end - start - first.size())};
}

/// The parts of an Authorization line: scheme Credential=a/b/c/d/e/f, SignedHeaders=x;y, Signature=hex.
struct Claim {
  std::string scheme, type, id, date, region, service, request_type, signed_headers, signature, timestamp;
};

std::string credential_scope(const Claim& claim) {
  return claim.date + '/' + claim.region + '/' + claim.service + '/' + claim.request_type;
}

/// Reads the line; nothing when it or the date is incomplete (400). A line of another shape is the original's crash.
std::optional<Claim> read_claim(const http::ServerRequest& request) {
  const auto words = split(request.headers.get("Authorization"), ' ');
  if (words.size() != 4) throw PageError{500, {}, {}};
  const auto credential = split(between(words[1], "Credential=", ","), '/');
  const bool complete = credential.size() == 6 && (credential[5] == "dci2_request" || credential[5] == "aws4_request");
  const auto date_header = request.headers.has("x-amz-date") ? "x-amz-date" : "x-dci-date";
  if (!complete || !request.headers.has(date_header)) return {};
  const auto mark = words[3].find("Signature=");
  if (mark == std::string::npos) throw PageError{500, {}, {}};
  return Claim{words[0],
               credential[0],
               credential[1],
               credential[2],
               credential[3],
               credential[4],
               credential[5],
               between(words[2], "SignedHeaders=", ","),
               words[3].substr(mark + 10),
               std::string{request.headers.get(date_header)}};
}

std::string canonical_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> encoded;
  for (const auto& [name, value] : parse_query(query))
    encoded.emplace_back(percent_encode(name), percent_encode(value));
  std::ranges::sort(encoded);
  std::string joined;
  for (const auto& [name, value] : encoded) joined += (joined.empty() ? "" : "&") + name + "=" + value;
  return joined;
}

std::string expected_signature(const Claim& claim, const http::ServerRequest& request, const Body& body,
                               std::string_view secret) {
  std::string headers;
  for (const auto& name : split(claim.signed_headers, ';')) {
    if (!request.headers.has(name)) throw PageError{500, {}, {}};
    headers += name + ":" + std::string{request.headers.get(name)} + "\n";
  }
  // The path arrives decoded, and the original decodes it once more.
  const auto canonical_request = request.method + "\n" + percent_decode(request.path) + "\n" +
                                 canonical_query(request.query) + "\n" + headers + "\n" + claim.signed_headers + "\n" +
                                 body.sha256();
  const auto to_sign =
      claim.scheme + "\n" + claim.timestamp + "\n" + credential_scope(claim) + "\n" + sha256_hex(canonical_request);
  auto key = replace_all(claim.scheme, "-HMAC-SHA256", "") + std::string{secret};
  for (const auto& step : {claim.date, claim.region, claim.service, claim.request_type}) key = hmac_sha256(key, step);
  return to_hex(hmac_sha256(key, to_sign));
}

/// Reads "20261120T221212Z"; the original crashes on another form.
Timestamp basic_time(const std::string& text) {
  std::tm fields{};
  const auto* end = ::strptime(text.c_str(), "%Y%m%dT%H%M%SZ", &fields);
  if (!end || *end != '\0') throw PageError{500, {}, {}};
  return Timestamp{std::chrono::seconds{::timegm(&fields)}};
}

bool is_true(const Cell& cell) { return number_of(cell) != 0; }

}  // namespace

std::string hash_password(std::string_view password) {
  const auto salt = new_etag();
  return salt + "$" + sha256_hex(salt + std::string{password});
}

bool password_matches(std::string_view password, std::string_view stored) {
  const auto dollar = stored.find('$');
  if (dollar == std::string_view::npos) return false;
  return sha256_hex(std::string{stored.substr(0, dollar)} + std::string{password}) == stored.substr(dollar + 1);
}

Identity Authentication::identify(const http::ServerRequest& request, const Body& body, bool too_large) {
  if (!request.headers.has("Authorization")) throw ApiError{401, "Authorization header missing", {}};
  const auto authorization = request.headers.get("Authorization");
  const auto scheme = authorization.substr(0, authorization.find(' '));
  if (scheme == "Basic") return basic(request, authorization.substr(std::min(authorization.size(), scheme.size() + 1)));
  if (scheme == "Bearer") return bearer(authorization);
  if (scheme == "DCI2-HMAC-SHA256" || scheme == "DCI-HMAC-SHA256" || scheme == "AWS4-HMAC-SHA256")
    return signed_request(request, body, too_large);
  throw ApiError{401, "Authorization scheme " + std::string{scheme} + " unknown", {}};
}

Identity Authentication::basic(const http::ServerRequest& request, std::string_view credentials) {
  const auto decoded = from_base64(credentials);
  const auto colon = decoded.find(':');
  if (colon == std::string::npos) throw ApiError{401, "Authorization header missing", {}};
  const auto name = decoded.substr(0, colon);
  for (const std::string_view column : {"name", "email"}) {
    const auto rows = records_.database().query(
        "SELECT id, etag, name, fullname, email, timezone, password FROM users WHERE state = 'active' AND " +
            std::string{column} + " = ?",
        {name});
    if (rows.empty()) continue;
    if (!password_matches(decoded.substr(colon + 1), text_of(rows.front()[6])))
      throw ApiError{401, "Invalid user credentials", {}};
    return of_user(request, rows.front());
  }
  throw ApiError{401, "User " + name + " does not exists.", {}};
}

Identity Authentication::of_user(const http::ServerRequest& request, const Row& user) {
  Identity identity{Identity::Kind::user,
                    text_of(user[0]),
                    text_of(user[1]),
                    text_of(user[2]),
                    text_of(user[3]),
                    text_of(user[4]),
                    text_of(user[5]),
                    text_of(user[6]),
                    {},
                    false,
                    false,
                    false};
  const std::string wanted{request.headers.get("X-Dci-Team-Id")};
  std::string scope;
  if (!wanted.empty()) {
    const auto id = normal_uuid(wanted);
    if (!id) throw ApiError{400, "X-Dci-Team-Id: " + wanted + " is not a valid UUID", {}};
    scope = *id;
  }
  const auto rows = records_.database().query(
      "SELECT t.id, t.name, t.state, t.has_pre_release_access FROM teams t JOIN users_teams u ON u.team_id = t.id "
      "WHERE u.user_id = ?",
      {identity.id});
  for (const auto& row : rows) {
    const auto id = text_of(row[0]);
    const auto name = text_of(row[1]);
    const bool in_scope = scope.empty() || scope == id;
    if (name == "admin") identity.super_admin = in_scope;
    if (name == "Red Hat") identity.read_only = in_scope;
    if (name == "EPM") identity.epm_team = in_scope;
    if (in_scope) identity.teams.push_back({id, name, text_of(row[2]), is_true(row[3])});
  }
  if (!scope.empty() && identity.teams.empty() && !identity.super_admin) throw unauthorized();
  return identity;
}

/// There is no identity provider here: a token is taken apart to give the original's complaints, and then refused.
Identity Authentication::bearer(std::string_view authorization) {
  const auto words = split(authorization, ' ');
  if (words.size() != 2) throw PageError{500, {}, {}};
  const auto undecodable = [](const std::string& why) { return ApiError{401, "JWT token decode error: " + why, {}}; };
  const auto parts = split(words[1], '.');
  if (parts.size() < 3) throw undecodable("Not enough segments");
  boost::system::error_code broken;
  const auto claims = json::parse(from_base64(parts[1]), broken);
  if (broken || !claims.is_object()) throw undecodable("Invalid payload string");
  const auto* expires = claims.as_object().if_contains("exp");
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(records_.time().time_since_epoch()).count();
  if (expires && expires->is_number() && expires->to_number<double>() < static_cast<double>(now))
    throw ApiError{401, "JWT token expired, please refresh.", {}};
  throw undecodable("Signature verification failed");
}

Identity Authentication::signed_request(const http::ServerRequest& request, const Body& body, bool too_large) {
  const auto claim = read_claim(request);
  if (!claim) throw ApiError{400, "HmacMechanism failed: bad or incomplete headers.", {}};
  const ApiError unknown{401, "identity does not exists.", {}};
  if (claim->type != "remoteci" && claim->type != "feeder") throw unknown;
  const auto id = normal_uuid(claim->id);
  if (!id) throw invalid_text("uuid", claim->id);
  const auto rows =
      records_.database().query("SELECT c.api_secret, t.id, t.name, t.state, t.has_pre_release_access FROM " +
                                    std::string{claim->type == "feeder" ? "feeders" : "remotecis"} +
                                    " c JOIN teams t ON t.id = c.team_id WHERE c.id = ? AND c.state = 'active'",
                                {*id});
  if (rows.empty()) throw unknown;
  const auto& row = rows.front();
  if (too_large) throw PageError{413, {}, {}};
  const auto age = records_.time() - basic_time(claim->timestamp);
  if (age > std::chrono::minutes{15} || age < -std::chrono::minutes{15})
    throw ApiError{400, "HmacMechanism failed: signature is expired", {}};
  if (expected_signature(*claim, request, body, text_of(row[0])) != claim->signature)
    throw ApiError{400, "HmacMechanism failed: signature is invalid", {}};
  Identity identity;
  identity.kind = claim->type == "feeder" ? Identity::Kind::feeder : Identity::Kind::remoteci;
  identity.id = *id;
  identity.teams.push_back({text_of(row[1]), text_of(row[2]), text_of(row[3]), is_true(row[4])});
  identity.read_only = identity.teams.front().name == "Red Hat";
  if (identity.teams.front().state != "active")
    throw ApiError{412, "team " + identity.teams.front().name + " not active", {}};
  return identity;
}

}  // namespace outpost::sample
