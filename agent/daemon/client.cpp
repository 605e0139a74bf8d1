#include "agent/daemon/client.hpp"

#include "agent/control/api_client.hpp"
#include "agent/http/beast/beast_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <functional>

namespace outpost::daemon {

namespace asio = boost::asio;

namespace {

using Answer = Result<boost::json::value>;

Answer call(const std::filesystem::path& socket, const std::function<asio::awaitable<Answer>(control::ApiClient&)>& ask) {
  asio::io_context loop{1};
  auto http = http::make_beast_client({});
  if (!http) return http.error();
  control::ApiClient client{**http, socket};
  Answer outcome = Error{Fault::bug, "no answer"};
  std::exception_ptr thrown;
  asio::co_spawn(loop, ask(client), [&](std::exception_ptr error, Answer answer) {
    thrown = error;
    outcome = std::move(answer);
    loop.stop();
  });
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
  return outcome;
}

}  // namespace

Answer ask_daemon(const std::filesystem::path& socket, const std::string& path) {
  return call(socket, [&](control::ApiClient& client) { return client.get(path); });
}

Answer tell_daemon(const std::filesystem::path& socket, const std::string& path, boost::json::object body) {
  return call(socket, [&](control::ApiClient& client) { return client.post(path, std::move(body)); });
}

}  // namespace outpost::daemon
