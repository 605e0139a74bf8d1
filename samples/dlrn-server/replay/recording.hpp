#pragma once

#include "agent/base/result.hpp"
#include "agent/http/message.hpp"

#include <boost/json/value.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace outpost::builder_replay {

/// One recorded exchange with a builder.
struct Pair {
  int number = 0;
  std::string file, server;  ///< Several builders may have been recorded; each has a state of its own.
  std::string unusable;      ///< Why it cannot be sent anew; mostly empty.
  std::string method, path, query, body;  ///< The path without what was before the API's own.
  http::Headers headers;
  boost::json::value given;  ///< The parameters: of the body, or of the query.
  int status = 0;
  http::Headers answer_headers;
  std::string answer_body;
  boost::json::value answer;  ///< null when it is not JSON.

  [[nodiscard]] std::string target() const { return query.empty() ? path : path + '?' + query; }
  [[nodiscard]] bool writes() const { return method == "POST" && path != "/api/graphql"; }
  [[nodiscard]] bool has_ticket() const { return headers.get("Authorization").starts_with("Negotiate "); }
  [[nodiscard]] bool succeeded() const { return status == 200 || status == 201; }
};

/// What the files *.json of a directory are, by the number at the beginning of their names; those that are no pairs of this
/// format, or no requests to an API, are unusable. malformed: not one can be used.
[[nodiscard]] Result<std::vector<Pair>> read_recording(const std::filesystem::path& directory);

/// The objects of an answer or of parameters: itself, or those of its list.
[[nodiscard]] std::vector<boost::json::object> rows_of(const boost::json::value& value);

}  // namespace outpost::builder_replay
