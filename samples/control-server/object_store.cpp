#include "samples/control-server/object_store.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>

namespace outpost::sample {
namespace {

constexpr std::string_view access_key = "SAMPLE";
constexpr std::string_view region = "us-east-1";

http::ServerResponse s3_error(int status, std::string_view code, std::string_view message) {
  http::ServerResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "application/xml"}};
  response.body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" + std::string{code} + "</Code><Message>" +
                  std::string{message} + "</Message></Error>\n";
  return response;
}

std::string value_of(const QueryArguments& arguments, std::string_view name) {
  for (const auto& [key, value] : arguments)
    if (key == name) return value;
  return {};
}

std::string http_date(const std::string& normal) {
  const auto moment = parse_rfc3339(normal);
  const std::time_t seconds =
      moment ? std::chrono::duration_cast<std::chrono::seconds>(moment->time_since_epoch()).count() : 0;
  std::tm fields{};
  ::gmtime_r(&seconds, &fields);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &fields)};
}

/// As stores mark them: by the MD5, and what clients send in parts by something else, with the number of the parts.
std::string mark_of(const Body& body) {
  constexpr std::uint64_t part = std::uint64_t{8} << 20;
  if (body.size() <= part) return md5_hex(body.text());
  return body.sha256().substr(0, 32) + "-" + std::to_string((body.size() + part - 1) / part);
}

struct Range {
  std::uint64_t first = 0, size = 0;
};

/// One range of bytes (RFC 9110 §14.1.2). Nothing: no usable Range header, all is sent. A size of 0: not satisfiable.
std::optional<Range> range_of(std::string_view header, std::uint64_t size) {
  if (!header.starts_with("bytes=") || header.find(',') != std::string_view::npos) return {};
  header.remove_prefix(6);
  const auto dash = header.find('-');
  if (dash == std::string_view::npos) return {};
  const auto number = [](std::string_view text) -> std::optional<std::uint64_t> {
    std::uint64_t parsed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (error != std::errc{} || end != text.data() + text.size()) return {};
    return parsed;
  };
  const auto first = number(header.substr(0, dash));
  const auto last = number(header.substr(dash + 1));
  if (!first) {
    if (dash != 0 || !last) return {};
    const auto count = std::min(*last, size);
    return Range{size - count, count};
  }
  if (dash + 1 < header.size() && (!last || *last < *first)) return {};
  if (*first >= size) return Range{*first, 0};
  return Range{*first, std::min(last.value_or(size - 1), size - 1) - *first + 1};
}

}  // namespace

bool is_plain_key(std::string_view key) {
  const auto parts = split(key, '/');
  return std::ranges::none_of(parts, [](const auto& part) { return part.empty() || part == "." || part == ".."; }) &&
         key.find('\0') == std::string_view::npos;
}

std::optional<std::pair<std::string, std::string>> bucket_and_key(std::string_view path) {
  if (!path.starts_with(ObjectStore::prefix)) return {};
  path.remove_prefix(ObjectStore::prefix.size());
  const auto slash = path.find('/');
  if (slash == std::string_view::npos || !is_plain_key(path)) return {};
  return std::pair{std::string{path.substr(0, slash)}, std::string{path.substr(slash + 1)}};
}

std::filesystem::path ObjectStore::path_of(const std::string& bucket, const std::string& key) const {
  return root_ / bucket / key;
}

ObjectStore::Object ObjectStore::put(const std::string& bucket, const std::string& key, Body& body,
                                     std::string_view mime) {
  Object object{body.size(), mark_of(body), std::string{mime}, records_.now()};
  body.keep_as(path_of(bucket, key));
  records_.database().query(
      "INSERT OR REPLACE INTO objects (bucket, key, size, etag, mime, modified) VALUES (?,?,?,?,?,?)",
      {bucket, key, static_cast<std::int64_t>(object.size), object.etag, object.mime, object.modified});
  return object;
}

void ObjectStore::remove(const std::string& bucket, const std::string& key) {
  std::error_code failed;
  std::filesystem::remove(path_of(bucket, key), failed);
  records_.database().query("DELETE FROM objects WHERE bucket = ? AND key = ?", {bucket, key});
}

std::optional<ObjectStore::Object> ObjectStore::find(const std::string& bucket, const std::string& key) {
  const auto rows = records_.database().query(
      "SELECT size, etag, mime, modified FROM objects WHERE bucket = ? AND key = ?", {bucket, key});
  if (rows.empty()) return {};
  const auto& row = rows.front();
  return Object{static_cast<std::uint64_t>(number_of(row[0])), text_of(row[1]), text_of(row[2]), text_of(row[3])};
}

std::string ObjectStore::signature(std::string_view method, std::string_view host, const std::string& path,
                                   const QueryArguments& arguments) const {
  std::vector<std::string> pairs;
  for (const auto& [name, value] : arguments)
    if (name != "X-Amz-Signature") pairs.push_back(percent_encode(name) + "=" + percent_encode(value));
  std::ranges::sort(pairs);
  const auto canonical = std::string{method} + "\n" + percent_encode(path, true) + "\n" + join(pairs, "&") +
                         "\nhost:" + std::string{host} + "\n\nhost\nUNSIGNED-PAYLOAD";
  const auto date = value_of(arguments, "X-Amz-Date");
  const auto scope = date.substr(0, 8) + "/" + std::string{region} + "/s3/aws4_request";
  auto key = "AWS4" + secret_;
  for (const auto& step : split(scope, '/')) key = hmac_sha256(key, step);
  return to_hex(hmac_sha256(key, "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + sha256_hex(canonical)));
}

std::string ObjectStore::presigned_url(std::string_view method, const http::ServerRequest& request,
                                       const std::string& bucket, const std::string& key) const {
  const auto date = to_basic_utc(records_.time());
  const std::string host{request.headers.get("Host")};
  const auto path = std::string{prefix} + bucket + "/" + key;
  QueryArguments arguments{{"X-Amz-Algorithm", "AWS4-HMAC-SHA256"},
                           {"X-Amz-Credential", std::string{access_key} + "/" + date.substr(0, 8) + "/" +
                                                    std::string{region} + "/s3/aws4_request"},
                           {"X-Amz-Date", date},
                           {"X-Amz-SignedHeaders", "host"},
                           {"X-Amz-Expires", "600"}};
  arguments.emplace_back("X-Amz-Signature", signature(method, host, path, arguments));
  auto url = std::string{https ? "https://" : "http://"} + host + percent_encode(path, true);
  char mark = '?';
  for (const auto& [name, value] : arguments) {
    url += mark + name + "=" + percent_encode(value);
    mark = '&';
  }
  return url;
}

std::optional<http::ServerResponse> ObjectStore::refusal(const http::ServerRequest& request) const {
  const auto arguments = parse_query(request.query);
  const auto given = value_of(arguments, "X-Amz-Signature");
  if (request.headers.has("Authorization")) {
    if (given.empty()) return s3_error(400, "InvalidArgument", "Unsupported Authorization Type");
    return s3_error(400, "InvalidArgument",
                    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                    "parameter or "
                    "the Authorization header should be specified");
  }
  if (given.empty()) return s3_error(403, "AccessDenied", "Access Denied");
  std::tm fields{};
  const auto date = value_of(arguments, "X-Amz-Date");
  const auto* end = ::strptime(date.c_str(), "%Y%m%dT%H%M%SZ", &fields);
  const auto expires = value_of(arguments, "X-Amz-Expires");
  long seconds = 0;
  const auto parsed = std::from_chars(expires.data(), expires.data() + expires.size(), seconds);
  if (!end || *end != '\0' || parsed.ec != std::errc{})
    return s3_error(400, "AuthorizationQueryParametersError", "X-Amz-Date or X-Amz-Expires is malformed");
  const Timestamp until{std::chrono::seconds{::timegm(&fields) + seconds}};
  if (records_.time() > until) return s3_error(403, "AccessDenied", "Request has expired");
  if (signature(request.method, request.headers.get("Host"), request.path, arguments) != given)
    return s3_error(403, "SignatureDoesNotMatch",
                    "The request signature we calculated does not match the signature you provided.");
  return {};
}

http::ServerResponse ObjectStore::serve(const http::ServerRequest& request) {
  if (request.method != "GET" && request.method != "HEAD")
    return s3_error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
  if (auto refused = refusal(request)) return std::move(*refused);
  const auto names = bucket_and_key(request.path);
  const auto object = names ? find(names->first, names->second) : std::nullopt;
  if (!object) return s3_error(404, "NoSuchKey", "The specified key does not exist.");
  const auto quoted = "\"" + object->etag + "\"";
  http::ServerResponse response;
  response.headers = {{"Content-Type", object->mime},
                      {"ETag", quoted},
                      {"Last-Modified", http_date(object->modified)},
                      {"Accept-Ranges", "bytes"}};
  http::FileRange bytes{path_of(names->first, names->second), 0, object->size};
  const auto if_range = request.headers.get("If-Range");
  const auto range =
      if_range.empty() || if_range == quoted ? range_of(request.headers.get("Range"), object->size) : std::nullopt;
  if (range && range->size == 0) {
    auto refused = s3_error(416, "InvalidRange", "The requested range is not satisfiable");
    refused.headers.add("Content-Range", "bytes */" + std::to_string(object->size));
    return refused;
  }
  if (range) {
    response.status = 206;
    response.headers.add("Content-Range", "bytes " + std::to_string(range->first) + "-" +
                                              std::to_string(range->first + range->size - 1) + "/" +
                                              std::to_string(object->size));
    bytes.offset = range->first;
    bytes.size = range->size;
  }
  response.body = bytes;
  return response;
}

}  // namespace outpost::sample
