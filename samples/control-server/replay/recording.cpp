#include "samples/control-server/replay/recording.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace outpost::replay {
namespace {

namespace json = boost::json;

Result<json::value> parse_file(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  boost::system::error_code broken;
  auto value = json::parse(text, broken);
  if (!file.good() && text.empty()) return Error{Fault::unavailable, path.string() + ": cannot be read"};
  if (broken || !value.is_object())
    return Error{Fault::malformed, path.string() + ": not a JSON object: " + broken.message()};
  return value;
}

std::string text_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && value->is_string() ? std::string{value->as_string()} : std::string{};
}

std::string from_base64(std::string_view text) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned buffer = 0;
  int bits = 0;
  for (const char c : text) {
    const auto digit = digits.find(c);
    if (digit == std::string_view::npos) continue;
    buffer = buffer << 6 | static_cast<unsigned>(digit);
    if ((bits += 6) >= 8) bytes += static_cast<char>(buffer >> (bits -= 8) & 0xFF);
  }
  return bytes;
}

/// Text of a JSON recording as the bytes of a header, which are Latin-1.
std::string latin1(std::string_view utf8) {
  std::string bytes;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if ((byte == 0xC2 || byte == 0xC3) && i + 1 < utf8.size())
      bytes += static_cast<char>((byte & 3) << 6 | (utf8[++i] & 0x3F));
    else
      bytes += utf8[i];
  }
  return bytes;
}

http::Headers headers_of(const json::object& message) {
  http::Headers headers;
  if (const auto* fields = message.if_contains("headers"); fields && fields->is_object())
    for (const auto& [name, value] : fields->as_object())
      if (value.is_string()) headers.add(std::string{name}, latin1(value.as_string()));
  return headers;
}

/// What was recorded may be cut short. The hash says which candidate is the whole.
void read_body(const json::object& request, Pair& pair) {
  const auto hash = text_at(request, "raw_body_sha256");
  const auto fits = [&](const std::string& candidate) { return hash.empty() || sha256_hex(candidate) == hash; };
  pair.body = text_at(request, "raw_body");
  if (fits(pair.body)) return;
  const auto* body = request.if_contains("body");
  const auto described = body && body->is_object() ? body->as_object() : json::object{};
  if (const auto encoded = text_at(described, "base64"); !encoded.empty()) {
    auto bytes = from_base64(encoded);
    if (fits(bytes)) {
      pair.body = std::move(bytes);
      pair.body_is_text = false;
      return;
    }
  }
  const auto* size = described.if_contains("bytes");
  const auto wanted = size && size->is_int64() ? static_cast<std::size_t>(size->as_int64()) : pair.body.size();
  auto start = text_at(described, "text");
  if (start.empty()) start = pair.body.empty() ? "x" : pair.body;
  for (const auto& pattern :
       {start, start.substr(0, 1), std::string(1, '\0'), std::string{"x"}, std::string{"a"}, std::string{"0"}}) {
    std::string repeated;
    repeated.reserve(wanted + pattern.size());
    while (repeated.size() < wanted) repeated += pattern;
    repeated.resize(wanted);
    if (fits(repeated)) {
      pair.body = std::move(repeated);
      return;
    }
  }
  pair.body.resize(wanted, 'x');
  pair.body_doubt = "the recording holds only a part of the body; " + std::to_string(wanted) + " other bytes were sent";
}

Result<Pair> read_pair(const std::filesystem::path& path) {
  const auto parsed = parse_file(path);
  if (!parsed) return parsed.error();
  const auto& whole = parsed->as_object();
  const auto *request = whole.if_contains("request"), *response = whole.if_contains("response");
  if (!request || !request->is_object() || !response || !response->is_object())
    return Error{Fault::malformed, path.string() + ": a pair has the members request and response"};
  Pair pair;
  pair.file = path.filename().string();
  pair.name = text_at(whole, "name");
  pair.note = text_at(whole, "note");
  pair.number = std::atoi(pair.file.c_str());
  pair.method = text_at(request->as_object(), "method");
  pair.target = text_at(request->as_object(), "target");
  if (pair.target.empty()) {
    const auto query = text_at(request->as_object(), "query");
    pair.target = text_at(request->as_object(), "path") + (query.empty() ? "" : "?" + query);
  }
  pair.request_headers = headers_of(request->as_object());
  read_body(request->as_object(), pair);
  const auto* status = response->as_object().if_contains("status");
  if (!status || !status->is_int64()) return Error{Fault::malformed, path.string() + ": response.status is missing"};
  pair.status = static_cast<int>(status->as_int64());
  pair.response_headers = headers_of(response->as_object());
  if (const auto* body = response->as_object().if_contains("body"); body && body->is_object()) {
    const auto& described = body->as_object();
    if (const auto* value = described.if_contains("json")) pair.answer = *value;
    if (described.contains("text")) pair.answer_text = text_at(described, "text");
    if (described.contains("base64")) pair.answer_text = from_base64(text_at(described, "base64"));
  }
  return pair;
}

void read_credentials(const json::object& credentials, Recording& recording) {
  for (const auto& [name, value] : credentials) {
    if (!value.is_object()) continue;
    const auto id = text_at(value.as_object(), "client_id");
    const auto secret = text_at(value.as_object(), "api_secret");
    if (!id.empty() && !secret.empty())
      recording.secrets[id.find('/') == std::string::npos ? "remoteci/" + id : id] = secret;
  }
}

}  // namespace

Result<Recording> read_recording(const std::vector<std::filesystem::path>& directories) {
  Recording recording;
  for (const auto& directory : directories) {
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator{directory, failed}) {
      const auto name = entry.path().filename().string();
      if (name == "credentials.json") {
        const auto credentials = parse_file(entry.path());
        if (!credentials) return credentials.error();
        read_credentials(credentials->as_object(), recording);
      }
      if (entry.path().extension() != ".json" || name.empty() || name.front() < '0' || name.front() > '9') continue;
      auto pair = read_pair(entry.path());
      if (!pair) return pair.error();
      recording.pairs.push_back(std::move(*pair));
    }
    if (failed) return Error{Fault::unavailable, directory.string() + ": " + failed.message()};
  }
  std::ranges::sort(recording.pairs, [](const Pair& a, const Pair& b) {
    return std::tie(a.number, a.file) < std::tie(b.number, b.file);
  });
  if (recording.pairs.empty())
    return Error{Fault::unavailable, "no recorded pairs (NNN-name.json) in " + directories.front().string()};
  return recording;
}

}  // namespace outpost::replay
