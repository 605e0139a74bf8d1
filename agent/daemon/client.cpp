#include "agent/daemon/client.hpp"

#include "agent/control/api_client.hpp"
#include "agent/http/beast/beast_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>

namespace outpost::daemon {

namespace asio = boost::asio;

Result<boost::json::value> ask_daemon(const std::filesystem::path& socket, const std::string& path) {
  asio::io_context loop{1};
  auto http = http::make_beast_client({});
  if (!http) return http.error();
  control::ApiClient client{**http, socket};
  Result<boost::json::value> outcome = Error{Fault::bug, "no answer"};
  std::exception_ptr thrown;
  asio::co_spawn(loop, client.get(path), [&](std::exception_ptr error, Result<boost::json::value> answer) {
    thrown = error;
    outcome = std::move(answer);
    loop.stop();
  });
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
  return outcome;
}

}  // namespace outpost::daemon
