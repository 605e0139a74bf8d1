#include "agent/control/answer.hpp"

#include "agent/base/text.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <charconv>

namespace outpost::control {

namespace json = boost::json;
using http::ServerResponse;

ServerResponse answer(int status, const json::value& body) {
  ServerResponse response;
  response.status = status;
  response.headers.set("Content-Type", "application/json");
  response.headers.set("Cache-Control", "no-store");
  response.body = json::serialize(body) + "\n";
  return response;
}

ServerResponse problem(int status, std::string_view message) {
  return answer(status, json::object{{"error", json::object{{"message", message}}}});
}

ServerResponse problem(const Error& error) {
  switch (error.fault) {
    case Fault::malformed: return problem(400, error.message);
    case Fault::unavailable: return problem(404, error.message);
    case Fault::refused: return problem(409, error.message);
    default: return problem(500, error.message);
  }
}

std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
  const auto wanted = split(pattern, '/'), given = split(path, '/');
  if (wanted.size() != given.size()) return std::nullopt;
  std::vector<std::string> names;
  for (std::size_t index = 0; index < wanted.size(); ++index) {
    if (wanted[index] == "*") names.push_back(given[index]);
    else if (wanted[index] != given[index]) return std::nullopt;
  }
  return names;
}

Result<std::map<std::string, std::string>> parameters(std::string_view query, std::initializer_list<std::string_view> known) {
  std::map<std::string, std::string> found;
  for (const auto& part : split(query, '&')) {
    if (part.empty()) continue;
    const auto equals = part.find('=');
    const std::string name = part.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : percent_decode(part.substr(equals + 1), true);
    const bool fits = std::find(known.begin(), known.end(), name) != known.end();
    if (!fits || !found.emplace(name, value).second)
      return Error{Fault::malformed, "the query has " + printable(name, 40) + (fits ? " twice" : ", which means nothing here")};
  }
  return found;
}

Result<std::uint64_t> number_of(const std::map<std::string, std::string>& parameters, const std::string& name,
                                std::uint64_t otherwise, std::uint64_t least, std::uint64_t most) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return otherwise;
  std::uint64_t number = 0;
  const auto& text = found->second;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && rest == text.data() + text.size() && number >= least && number <= most) return number;
  return Error{Fault::malformed, name + " is a number from " + std::to_string(least) + " to " + std::to_string(most)};
}

}  // namespace outpost::control
