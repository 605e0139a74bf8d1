#pragma once

#include "agent/base/result.hpp"
#include "agent/http/message.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outpost::replay {

/// One recorded request with the answer that the original gave.
struct Pair {
  std::string file, name, note;
  int number = 0;  ///< The file's leading number; -1 without.
  std::string method, target;
  http::Headers request_headers;
  std::string body;
  bool body_is_text = true;  ///< Ids may be replaced in it.
  std::string body_doubt;    ///< Why `body` may not be what was sent; empty: its hash was checked.
  int status = 0;
  http::Headers response_headers;
  boost::json::value answer;  ///< The body when it was JSON.
  std::optional<std::string> answer_text;
};

struct Recording {
  std::vector<Pair> pairs;                     ///< In the order of time.
  std::map<std::string, std::string> secrets;  ///< "remoteci/<uuid>" to secret, from credentials.json.
};

/// Reads NNN-*.json of all directories, ordered by number, and their credentials.json. The message of an error names
/// the file.
[[nodiscard]] Result<Recording> read_recording(const std::vector<std::filesystem::path>& directories);

}  // namespace outpost::replay
