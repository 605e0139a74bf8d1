#pragma once

#include "agent/base/text.hpp"
#include "agent/http/client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace outpost::test {

/// What a scripted server answers.
struct FakeReply {
  int status = 200;
  http::Headers headers;
  std::string body;
  std::optional<std::size_t> break_after;  ///< The connection is lost after so many bytes of the body.
  std::optional<Error> error;              ///< The answer never came: this is why.
  bool hang = false;                       ///< Nothing happens until the request is cancelled (after the body, if any).
};

/// An http::Client without a network. Requests are answered by a function, or one by one from a list; every request is
/// kept for the test to look at.
class FakeHttpClient : public http::Client {
 public:
  using Script = std::function<FakeReply(const http::Request& request)>;

  explicit FakeHttpClient(Script script) : script_{std::move(script)} {}
  explicit FakeHttpClient(std::vector<FakeReply> replies = {}) : replies_{replies.begin(), replies.end()} {}

  void reply(FakeReply reply) { replies_.push_back(std::move(reply)); }

  boost::asio::awaitable<Result<http::Response>> send(http::Request request) override {
    http::BodySink nowhere;
    return answer(std::move(request), std::move(nowhere), false);
  }

  boost::asio::awaitable<Result<http::Response>> fetch(http::Request request, http::BodySink sink) override {
    return answer(std::move(request), std::move(sink), true);
  }

  std::vector<http::Request> requests;
  std::size_t piece = 1000;       ///< A sink gets the body in pieces of at most so many bytes.
  std::function<void()> on_hang;  ///< Called when a reply starts to hang.

 private:
  boost::asio::awaitable<Result<http::Response>> answer(http::Request request, http::BodySink sink, bool to_sink) {
    const auto executor = co_await boost::asio::this_coro::executor;
    co_await boost::asio::post(executor, boost::asio::use_awaitable);
    requests.push_back(request);
    FakeReply reply = next(request);
    if (reply.error) co_return *reply.error;
    http::Response response{reply.status, reply.headers, {}};
    if (!response.headers.has("Content-Length"))
      response.headers.set("Content-Length", std::to_string(reply.body.size()));
    const std::string sent = reply.break_after ? reply.body.substr(0, *reply.break_after) : reply.body;
    if (to_sink && reply.status >= 200 && reply.status < 300) {
      if (auto taken = deliver(sink, response, sent); !taken) co_return taken.error();
    } else {
      response.body = sent;
    }
    if (reply.hang) {
      boost::asio::steady_timer never{executor, boost::asio::steady_timer::time_point::max()};
      if (on_hang) boost::asio::post(executor, on_hang);
      co_await never.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
      co_return Error{Fault::cancelled, "cancelled"};
    }
    if (reply.break_after) co_return Error{Fault::retry_later, request.url + ": connection reset by peer"};
    co_return response;
  }

  Result<void> deliver(const http::BodySink& sink, const http::Response& head, const std::string& body) const {
    if (sink.begin)
      if (auto begun = sink.begin(head); !begun) return begun;
    for (std::size_t at = 0; at < body.size(); at += piece)
      if (auto written = sink.write(std::string_view{body}.substr(at, piece)); !written) return written;
    return {};
  }

  FakeReply next(const http::Request& request) {
    if (script_) return script_(request);
    if (replies_.empty()) {
      FakeReply none;
      none.error = Error{Fault::retry_later, request.url + ": connection refused (the script has no more replies)"};
      return none;
    }
    FakeReply reply = std::move(replies_.front());
    replies_.pop_front();
    return reply;
  }

  Script script_;
  std::deque<FakeReply> replies_;
};

}  // namespace outpost::test
