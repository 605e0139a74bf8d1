#include "samples/control-server/front_limits.hpp"

#include <iterator>
#include <string>

namespace outpost::sample {
namespace {

constexpr std::size_t line_limit = 4094, field_limit = 8190, field_count = 100;

http::ServerResponse page(int status, const std::string& reason, const std::string& detail) {
  http::ServerResponse response;
  response.status = status;
  response.reason = reason;
  response.headers = {{"Content-Type", "text/html"}, {"Connection", "close"}};
  response.body = "<html>\n  <head>\n    <title>" + reason + "</title>\n  </head>\n  <body>\n    <h1><p>" + reason +
                  "</p></h1>\n    " + detail + "\n  </body>\n</html>\n";
  return response;
}

}  // namespace

std::optional<http::ServerResponse> refused_in_front(const http::ServerRequest& request) {
  const auto line = request.method.size() + request.target.size() + std::string_view{"  HTTP/1.1"}.size();
  if (line > line_limit)
    return page(400, "Bad Request",
                "Request Line is too large (" + std::to_string(line) + " &gt; " + std::to_string(line_limit) + ")");
  if (std::distance(request.headers.begin(), request.headers.end()) > static_cast<std::ptrdiff_t>(field_count))
    return page(431, "Request Header Fields Too Large",
                "Error parsing headers: &#x27;limit request headers fields&#x27;");
  for (const auto& [name, value] : request.headers)
    if (name.size() + value.size() + 4 > field_limit)  // With ": " and the line end.
      return page(431, "Request Header Fields Too Large",
                  "Error parsing headers: &#x27;limit request headers fields size&#x27;");
  return {};
}

}  // namespace outpost::sample
