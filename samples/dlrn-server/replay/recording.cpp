#include "samples/dlrn-server/replay/recording.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "samples/dlrn-server/answers.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <tuple>

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

/// From "/api/..." or "/metrics" on: the rest is where the recorded API was mounted.
std::string own_path(const std::string& path) {
  if (const auto api = path.find("/api/"); api != std::string::npos) return path.substr(api);
  return path.ends_with("/metrics") ? "/metrics" : "";
}

Pair read_pair(const fs::path& file) {
  Pair pair;
  pair.file = file.filename().string();
  pair.number = std::atoi(pair.file.c_str());
  std::ifstream stream{file, std::ios::binary};
  const auto value = parsed({std::istreambuf_iterator<char>{stream}, {}});
  const auto* request = value.is_object() ? value.get_object().if_contains("request") : nullptr;
  const auto* response = value.is_object() ? value.get_object().if_contains("response") : nullptr;
  if (!request || !request->is_object() || !response || !response->is_object()) {
    pair.unusable = "it is no object with request and response";
    return pair;
  }
  pair.server = text_at(value.get_object(), "server");
  const auto& asked = request->get_object();
  pair.method = text_at(asked, "method");
  const std::string path = text_at(asked, "path");
  pair.path = own_path(path);
  if (pair.method.empty() || path.empty()) pair.unusable = "its request has no method or no path";
  else if (pair.path.empty()) pair.unusable = "it asks for " + printable(path, 60) + ", which is no part of the API";
  pair.query = text_at(asked, "query");
  pair.body = text_at(asked, "body");
  pair.headers = headers_of(asked);
  pair.given = pair.body.empty() ? json::value(sample_builder::parameters_of(pair.query)) : parsed(pair.body);
  const auto& said = response->get_object();
  pair.status = static_cast<int>(job::number_at(said, "status"));
  if (pair.status == 0 && pair.unusable.empty()) pair.unusable = "its response has no status";
  pair.answer_headers = headers_of(said);
  pair.answer_body = text_at(said, "body");
  pair.answer = parsed(pair.answer_body);
  return pair;
}

}  // namespace

Result<std::vector<Pair>> read_recording(const fs::path& directory) {
  std::vector<Pair> pairs;
  for (const auto& entry : fs::directory_iterator{directory})
    if (entry.path().extension() == ".json") pairs.push_back(read_pair(entry.path()));
  if (std::none_of(pairs.begin(), pairs.end(), [](const Pair& pair) { return pair.unusable.empty(); }))
    return Error{Fault::malformed, directory.string() + ": no recorded pairs (NN-name.json, each an object with request and response) are there"};
  std::sort(pairs.begin(), pairs.end(), [](const Pair& left, const Pair& right) { return std::tie(left.number, left.file) < std::tie(right.number, right.file); });
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
