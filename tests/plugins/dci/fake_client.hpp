#pragma once

#include "agent/base/text.hpp"
#include "agent/http/client.hpp"
#include "plugins/dci/api.hpp"
#include "fakes/fixed_clock.hpp"
#include "support/temporary_directory.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <deque>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace outpost::dci::test {

using outpost::test::FixedClock;

/// A request as a server would see it.
struct Seen {
  std::string method, target, path, url;
  bool refuses_local = false;
  http::Headers headers;
  std::string body;  ///< Of a file: the bytes of its range.

  [[nodiscard]] std::string parameter(std::string_view name) const {
    const auto at = target.find('?');
    if (at == std::string::npos) return "";
    for (const auto& part : split(std::string_view{target}.substr(at + 1), '&'))
      if (part.starts_with(std::string{name} + "="))
        return percent_decode(std::string_view{part}.substr(name.size() + 1), true);
    return "";
  }
  [[nodiscard]] boost::json::object json() const { return boost::json::parse(body).get_object(); }
};

inline http::Response answer(int status, const boost::json::value& body, http::Headers headers = {}) {
  headers.set("Content-Type", "application/json");
  return {status, std::move(headers), boost::json::serialize(body)};
}

inline http::Response refusal(int status, const std::string& message, http::Headers headers = {}) {
  return answer(status, {{"message", message}, {"payload", boost::json::object{}}, {"status_code", status}},
                std::move(headers));
}

inline http::Response page(int status, const std::string& title = "Internal Server Error") {
  return {status,
          {{"Content-Type", "text/html"}},
          "<html><head><title>" + title + "</title></head><body>" + title + "</body></html>"};
}

/// Answers requests with what the test says, and remembers them.
class FakeClient final : public http::Client {
 public:
  using Handler = std::function<Result<http::Response>(const Seen&)>;

  FakeClient() = default;
  explicit FakeClient(Handler answers) : handler{std::move(answers)} {}

  boost::asio::awaitable<Result<http::Response>> send(http::Request request) override {
    Seen one;
    one.method = request.method;
    one.url = request.url;
    one.refuses_local = request.refuse_local_addresses;
    const auto path = request.url.find('/', request.url.find("://") + 3);
    one.target = path == std::string::npos ? "/" : request.url.substr(path);
    one.path = percent_decode(one.target.substr(0, one.target.find('?')));
    one.headers = request.headers;
    one.body = bytes_of(request.body);
    seen.push_back(one);
    if (!script.empty()) {
      auto next = std::move(script.front());
      script.pop_front();
      co_return next;
    }
    if (!handler) throw std::logic_error{"nobody expected " + one.method + " " + one.target};
    co_return handler(one);
  }

  boost::asio::awaitable<Result<http::Response>> fetch(http::Request request, http::BodySink sink) override {
    auto response = co_await send(std::move(request));
    if (!response || response->status < 200 || response->status > 299) co_return response;
    const std::string body = std::move(response->body);
    response->body.clear();
    if (auto begun = sink.begin(*response); !begun) co_return begun.error();
    if (auto written = sink.write(body); !written) co_return written.error();
    co_return response;
  }

  Handler handler;
  std::deque<Result<http::Response>> script;  ///< Answers that come first, in this order.
  std::vector<Seen> seen;

 private:
  static std::string bytes_of(const http::Body& body) {
    if (const auto* text = std::get_if<std::string>(&body)) return *text;
    const auto& range = std::get<http::FileRange>(body);
    return outpost::test::read_file(range.path).substr(range.offset, range.size);
  }
};

inline const Credentials lab{"remoteci/1d2f9a3c-0b4e-4c5d-8e6f-7a8b9c0d1e2f", "the-secret-of-the-lab"};

}  // namespace outpost::dci::test
