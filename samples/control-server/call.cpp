#include "samples/control-server/call.hpp"

#include "agent/base/text.hpp"
#include "samples/control-server/python.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <fstream>
#include <memory>

namespace outpost::sample {
namespace {

constexpr std::string_view crash_page =
    "<html>\n  <head>\n    <title>Internal Server Error</title>\n  </head>\n  <body>\n    <h1><p>Internal Server "
    "Error</p></h1>\n"
    "    \n  </body>\n</html>\n";

std::string page(int status, std::string_view title, std::string_view sentence) {
  return "<!doctype html>\n<html lang=en>\n<title>" + std::to_string(status) + ' ' + std::string{title} +
         "</title>\n<h1>" + std::string{title} + "</h1>\n<p>" + std::string{sentence} + "</p>\n";
}

std::string html_escape(std::string_view text) {
  auto escaped = replace_all(std::string{text}, "&", "&amp;");
  escaped = replace_all(replace_all(std::move(escaped), "<", "&lt;"), ">", "&gt;");
  return replace_all(replace_all(std::move(escaped), "\"", "&#34;"), "'", "&#39;");
}

boost::asio::awaitable<Result<std::string>> next_piece(std::shared_ptr<std::ifstream> file) {
  std::string piece(64 * 1024, '\0');
  file->read(piece.data(), static_cast<std::streamsize>(piece.size()));
  piece.resize(static_cast<std::size_t>(file->gcount()));
  co_return piece;
}

}  // namespace

json::value Call::json_body() const {
  const auto type = to_lower(trim(split(request.headers.get("Content-Type"), ';').front()));
  if (type != "application/json" && !(type.starts_with("application/") && type.ends_with("+json"))) return nullptr;
  if (body_too_large) throw PageError{413, {}, {}};
  const auto text = body.text();
  boost::system::error_code broken;
  json::parse_options options;
  options.max_depth = 500;
  auto value = json::parse(text, broken, {}, options);
  if (!broken) return value;
  const auto complaint = json_complaint(text);
  if (complaint.empty()) throw PageError{500, {}, {}};
  throw PageError{400, "Failed to decode JSON object: " + complaint, {}};
}

std::string Call::required_etag() const {
  std::string etag{request.headers.get("If-Match")};
  if (etag.empty()) throw ApiError{412, "'If-match' header must be provided", {}};
  return etag;
}

ListArguments Call::list_arguments() const { return sample::list_arguments(parse_query(request.query)); }

json::value Call::header(std::string_view name) const {
  if (!request.headers.has(name)) return nullptr;
  return json::string{utf8_of_latin1(request.headers.get(name))};
}

http::ServerResponse json_response(int status, const json::value& value, std::string_view etag) {
  http::ServerResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json"}};
  if (!etag.empty()) response.headers.add("ETag", std::string{etag});
  response.body = json::serialize(value);
  return response;
}

http::ServerResponse json_response(int status, std::string_view name, json::value value, std::string_view etag) {
  json::object whole;
  whole.emplace(name, std::move(value));
  return json_response(status, whole, etag);
}

http::ServerResponse list_response(std::string_view name, Page page) {
  json::object whole{{"_meta", {{"count", page.count}}}};
  whole.emplace(name, std::move(page.items));
  return json_response(200, whole);
}

http::ServerResponse list_response(std::string_view name, json::array items) {
  const auto count = static_cast<std::int64_t>(items.size());
  return list_response(name, Page{std::move(items), count});
}

http::ServerResponse empty_response(int status) {
  http::ServerResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json"}};
  return response;
}

http::ServerResponse page_response(const PageError& error) {
  http::ServerResponse response;
  response.status = error.status;
  response.headers = {{"Content-Type", "text/html; charset=utf-8"}};
  switch (error.status) {
    case 400: response.body = page(400, "Bad Request", html_escape(error.detail)); break;
    case 404:
      response.body = page(404, "Not Found",
                           "The requested URL was not found on the server. If you entered the URL manually please "
                           "check your spelling and try again.");
      break;
    case 405:
      response.body = page(405, "Method Not Allowed", "The method is not allowed for the requested URL.");
      response.headers.add("Allow", error.allow);
      break;
    case 413:
      response.body = page(413, "Request Entity Too Large", "The data value transmitted exceeds the capacity limit.");
      break;
    default:
      response.headers = {{"Content-Type", "text/html"}, {"Connection", "close"}};
      response.body = std::string{crash_page};
  }
  return response;
}

http::ServerResponse error_response(const ApiError& error) {
  return json_response(
      error.status,
      json::object{{"message", error.message}, {"payload", error.payload}, {"status_code", error.status}});
}

http::ServerResponse chunked_file(const std::filesystem::path& path, std::string_view content_type) {
  http::ServerResponse response;
  response.headers = {{"Content-Type", std::string{content_type}}};
  auto file = std::make_shared<std::ifstream>(path, std::ios::binary);
  response.body = http::Producer{[file] { return next_piece(file); }};
  return response;
}

std::string utf8_of_latin1(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80)
      text += c;
    else
      (text += static_cast<char>(0xC0 | byte >> 6)) += static_cast<char>(0x80 | (byte & 0x3F));
  }
  return text;
}

void add_common_values(json::object& values, const Records& records) {
  const auto now = records.now();
  values["id"] = new_uuid();
  values["created_at"] = now;
  values["updated_at"] = now;
  values["etag"] = new_etag();
}

void verify_access_to_topic(Call& call, const json::object& topic) {
  const auto& user = call.user;
  if (user.sees_all() || user.is_feeder()) return;
  auto joined = is_one_of("team_id", user.team_ids());
  joined.both(equals("product_id", text_at(topic, "product_id")));
  const bool has_product =
      !call.records.database().query("SELECT 1 FROM products_teams WHERE " + joined.sql, joined.values).empty();
  if (!has_product || !(topic.at("export_control").as_bool() || user.has_pre_release_access())) throw unauthorized();
}

std::vector<std::string> teams_that_share(Call& call) {
  std::vector<std::string> shared;
  const auto mine = is_one_of("team_id", call.user.team_ids());
  for (const auto& row : call.records.database().query(
           "SELECT access_team_id FROM teams_components_access WHERE " + mine.sql, mine.values))
    shared.push_back(text_of(row.front()));
  return shared;
}

bool is_another_teams_component(Call& call, const json::object& component) {
  const auto team = text_at(component, "team_id");
  if (team.empty() || call.user.in_team(team)) return false;
  const auto shared = teams_that_share(call);
  return std::ranges::find(shared, team) == shared.end();
}

void verify_access_to_component(Call& call, const json::object& component) {
  if (is_another_teams_component(call, component)) throw unauthorized();
  if (text_at(component, "team_id").empty())
    verify_access_to_topic(call, call.records.get(topics, text_at(component, "topic_id")));
}

Condition own_teams(const Call& call, std::string_view column) {
  return call.user.sees_all() ? Condition{} : is_one_of(column, call.user.team_ids());
}

std::vector<std::string> visible_topics(Call& call) {
  Condition where{"state != 'archived'", {}};
  if (!call.user.sees_all() && !call.user.is_feeder()) {
    auto teams_of_mine = is_one_of("team_id", call.user.team_ids());
    where.both({"product_id IN (SELECT product_id FROM products_teams WHERE " + teams_of_mine.sql + ")",
                teams_of_mine.values});
    if (!call.user.has_pre_release_access()) where.both({"export_control = 1", {}});
  }
  std::vector<std::string> ids;
  for (const auto& row : call.records.database().query("SELECT id FROM topics WHERE " + where.sql, where.values))
    ids.push_back(text_of(row.front()));
  return ids;
}

}  // namespace outpost::sample
