#include "agent/control/api_client.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <boost/json/parse.hpp>

namespace outpost::control {

namespace json = boost::json;

boost::asio::awaitable<Result<json::value>> ApiClient::get(std::string path) {
  http::Request request;
  request.url = "http://localhost" + path;
  request.unix_socket = socket_.string();
  request.idle_timeout = std::chrono::seconds{20};
  const auto answer = co_await client_.send(std::move(request));
  if (!answer)
    co_return Error{Fault::unavailable, "the daemon does not answer on " + socket_.string() + " (" + answer.error().message +
                                            "); is outpostd running? systemctl status outpostd"};
  boost::system::error_code error;
  json::value body = json::parse(answer->body, error);
  if (answer->status / 100 == 2 && !error) co_return body;
  std::string message = "the daemon answered with status " + std::to_string(answer->status);
  if (!error && body.is_object())
    if (const auto* problem = body.get_object().if_contains("error"); problem && problem->is_object())
      message = job::text_at(problem->get_object(), "message");
  co_return Error{Fault::refused, printable(message)};
}

}  // namespace outpost::control
