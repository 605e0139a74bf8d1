#include "samples/dlrn-server/answers.hpp"

#include "agent/base/text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <cmath>
#include <map>

namespace outpost::sample_builder {

namespace json = boost::json;

namespace {

/// Keys are sorted, and a float is one to the eye, too: 1.0.
std::string written(const json::value& value) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ",") + part; };
  if (const auto* list = value.if_array()) {
    for (const auto& one : *list) add(written(one));
    return '[' + text + ']';
  }
  if (const auto* object = value.if_object()) {
    std::map<std::string_view, const json::value*> members;
    for (const auto& [name, member] : *object) members.emplace(name, &member);
    for (const auto& [name, member] : members) add(json::serialize(json::string{name}) + ':' + written(*member));
    return '{' + text + '}';
  }
  constexpr double exact = 9e15;
  if (const auto* number = value.if_double(); number && std::abs(*number) < exact && *number == std::floor(*number))
    return std::to_string(static_cast<std::int64_t>(*number)) + ".0";
  return json::serialize(value);
}

std::string_view phrase(int status) {
  switch (status) {
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    default: return "Internal Server Error";
  }
}

}  // namespace

http::ServerResponse json_answer(int status, const json::value& value) {
  http::ServerResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json"}};
  response.body = written(value) + "\n";
  return response;
}

http::ServerResponse html_answer(std::string page) {
  http::ServerResponse response;
  response.headers = {{"Content-Type", "text/html; charset=utf-8"}};
  response.body = std::move(page);
  return response;
}

http::ServerResponse page_answer(int status) {
  const std::string title{phrase(status)};
  auto response = html_answer("<!doctype html>\n<html lang=en>\n<title>" + std::to_string(status) + ' ' + title + "</title>\n<h1>" + title +
                              "</h1>\n<p>The builder could not do this.</p>\n");
  response.status = status;
  return response;
}

http::ServerResponse unauthorized_answer(int status, std::string_view scheme) {
  auto response = html_answer("Unauthorized Access");
  response.status = status;
  response.headers.set("WWW-Authenticate", std::string{scheme} + " realm=\"Authentication Required\"");
  return response;
}

json::object parameters_of(std::string_view query) {
  json::object parameters;
  for (const auto& part : split(query, '&')) {
    if (part.empty()) continue;
    const auto equals = std::min(part.find('='), part.size());
    const std::string name = percent_decode(part.substr(0, equals), true);
    if (!parameters.contains(name)) parameters[name] = percent_decode(part.substr(std::min(equals + 1, part.size())), true);
  }
  return parameters;
}

std::string media_type_of(const http::ServerRequest& request) {
  const auto type = request.headers.get("Content-Type");
  return to_lower(trim(type.substr(0, type.find(';'))));
}

bool is_json(std::string_view media_type) {
  return media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"));
}

}  // namespace outpost::sample_builder
