#include "samples/dlrn-server/replay/recording.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace outpost::builder_replay {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using job::text_at;

http::Headers headers_of(const json::object& object) {
  http::Headers headers;
  if (const auto* given = object.if_contains("headers"); given && given->is_object())
    for (const auto& [name, value] : given->get_object())
      if (value.is_string()) headers.add(std::string{name}, std::string{value.get_string()});
  return headers;
}

json::value parsed(const std::string& text) {
  boost::system::error_code broken;
  auto value = json::parse(text, broken);
  return broken ? json::value{} : value;
}

json::object parameters_of(const std::string& query) {
  json::object parameters;
  for (const auto& part : split(query, '&'))
    if (const auto equals = part.find('='); equals != std::string::npos) parameters[part.substr(0, equals)] = percent_decode(part.substr(equals + 1), true);
  return parameters;
}

Result<Pair> read_pair(const fs::path& file) {
  std::ifstream stream{file, std::ios::binary};
  const auto value = parsed({std::istreambuf_iterator<char>{stream}, {}});
  const auto* request = value.is_object() ? value.get_object().if_contains("request") : nullptr;
  const auto* response = value.is_object() ? value.get_object().if_contains("response") : nullptr;
  if (!request || !request->is_object() || !response || !response->is_object())
    return Error{Fault::malformed, file.string() + ": an object with request and response is due"};
  Pair pair;
  pair.file = file.filename().string();
  pair.number = std::atoi(pair.file.c_str());
  pair.server = text_at(value.get_object(), "server");
  const auto& asked = request->get_object();
  pair.method = text_at(asked, "method");
  pair.path = text_at(asked, "path");
  pair.query = text_at(asked, "query");
  pair.body = text_at(asked, "body");
  pair.headers = headers_of(asked);
  pair.given = pair.body.empty() ? json::value(parameters_of(pair.query)) : parsed(pair.body);
  const auto& said = response->get_object();
  pair.status = static_cast<int>(job::number_at(said, "status"));
  pair.answer_headers = headers_of(said);
  pair.answer_body = text_at(said, "body");
  pair.answer = parsed(pair.answer_body);
  return pair;
}

}  // namespace

Result<std::vector<Pair>> read_recording(const fs::path& directory) {
  std::vector<Pair> pairs;
  for (const auto& entry : fs::directory_iterator{directory}) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() != ".json" || std::atoi(name.c_str()) <= 0) continue;
    auto pair = read_pair(entry.path());
    if (!pair) return pair.error();
    pairs.push_back(std::move(*pair));
  }
  if (pairs.empty()) return Error{Fault::malformed, directory.string() + ": no recorded pairs (NN-name.json) are there"};
  std::sort(pairs.begin(), pairs.end(), [](const Pair& left, const Pair& right) { return left.number < right.number; });
  return pairs;
}

std::vector<json::object> rows_of(const json::value& value) {
  std::vector<json::object> rows;
  if (value.is_object()) rows.push_back(value.get_object());
  if (value.is_array())
    for (const auto& one : value.get_array())
      if (one.is_object()) rows.push_back(one.get_object());
  return rows;
}

}  // namespace outpost::builder_replay
