#include "agent/control/metrics_page.hpp"

namespace outpost::control {

namespace {

boost::asio::awaitable<http::ServerResponse> answer(const http::Handler& rest, const std::function<std::string()>& text,
                                                    http::ServerRequest& request) {
  if (request.path != "/metrics") co_return co_await rest(request);
  http::ServerResponse response;
  if (request.method != "GET" && request.method != "HEAD") {
    response.status = 405;
    response.headers.set("Allow", "GET");
    co_return response;
  }
  response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  response.headers.set("Cache-Control", "no-store");
  response.body = text();
  co_return response;
}

}  // namespace

http::Handler with_metrics(http::Handler rest, std::function<std::string()> text) {
  return [rest = std::move(rest), text = std::move(text)](http::ServerRequest& request) {
    return answer(rest, text, request);
  };
}

}  // namespace outpost::control
