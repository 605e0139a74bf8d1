#pragma once

#include "agent/http/server.hpp"
#include "samples/control-server/body.hpp"
#include "samples/control-server/errors.hpp"
#include "samples/control-server/identity.hpp"
#include "samples/control-server/object_store.hpp"
#include "samples/control-server/records.hpp"
#include "samples/control-server/schemas.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace outpost::sample {

/// One authenticated request on its way through a handler.
struct Call {
  const http::ServerRequest& request;
  Body& body;
  bool body_too_large;
  Identity user;
  std::vector<std::string> ids;  ///< What the variable parts of the route matched.
  Records& records;
  ObjectStore& objects;

  /// The body as JSON. As the original: null for another content type, a page with 400 for what is not JSON, 413.
  [[nodiscard]] json::value json_body() const;
  /// The If-Match header; 412 without.
  [[nodiscard]] std::string required_etag() const;
  [[nodiscard]] ListArguments list_arguments() const;
  /// A header as text: the wire has Latin-1.
  [[nodiscard]] json::value header(std::string_view name) const;
};

using Handler = http::ServerResponse (*)(Call& call);

[[nodiscard]] http::ServerResponse json_response(int status, const json::value& value, std::string_view etag = {});
/// {"<name>": value}
[[nodiscard]] http::ServerResponse json_response(int status, std::string_view name, json::value value,
                                                 std::string_view etag = {});
[[nodiscard]] http::ServerResponse list_response(std::string_view name, Page page);
/// A list that is never paged.
[[nodiscard]] http::ServerResponse list_response(std::string_view name, json::array items);
/// No body, but a content type: 201 of joins, 204 of deletions, 302.
[[nodiscard]] http::ServerResponse empty_response(int status);
[[nodiscard]] http::ServerResponse page_response(const PageError& error);
[[nodiscard]] http::ServerResponse error_response(const ApiError& error);
/// A file of this machine in pieces, without a length.
[[nodiscard]] http::ServerResponse chunked_file(const std::filesystem::path& path, std::string_view content_type);

[[nodiscard]] std::string utf8_of_latin1(std::string_view bytes);
/// The columns that every creation fills: id, created_at, updated_at, etag.
void add_common_values(json::object& values, const Records& records);

// Who may see what (the original's permissions module).
void verify_access_to_topic(Call& call, const json::object& topic);
void verify_access_to_component(Call& call, const json::object& component);
[[nodiscard]] std::vector<std::string> visible_topics(Call& call);
/// Teams whose components the caller sees beyond those of its own.
[[nodiscard]] std::vector<std::string> teams_that_share(Call& call);
/// For who does not see everything: only rows of the caller's teams.
[[nodiscard]] Condition own_teams(const Call& call, std::string_view column = "team_id");
[[nodiscard]] bool is_another_teams_component(Call& call, const json::object& component);

}  // namespace outpost::sample
