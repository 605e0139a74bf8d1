#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "agent/http/client.hpp"
#include "agent/http/url.hpp"
#include "plugins/dci/answer.hpp"
#include "plugins/dci/standing.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace outpost::dci {

using Parameters = std::vector<std::pair<std::string, std::string>>;

/// Bytes to send as they are, with their hash, which the signature needs before the first byte leaves.
struct Raw {
  http::Body body;
  std::string sha256;
  std::string content_type;  ///< Never a form type: the server would hash an empty body instead.
};

/// One request, in plain words: nothing in it is encoded yet.
struct Call {
  std::string method = "GET";
  std::string path;   ///< Decoded: "/api/v1/jobs/<id>".
  Parameters query;   ///< No blank value, no name twice: those break the signature.
  std::string key;    ///< The member a good answer has: "job", "components"; empty when no body is due.
  bool rows = false;  ///< That member is a list; set by list().
  std::variant<std::monostate, boost::json::object, Raw> body;
  http::Headers headers;                        ///< Besides those that every request has.
  std::chrono::milliseconds extra_patience{0};  ///< Beyond the idle time-out, while the server works on it.
};

struct Reply {
  Answer answer;  ///< status 0: there was none.
  Judged judged;

  [[nodiscard]] bool ok() const { return judged.meaning == Meaning::ok; }
  [[nodiscard]] Error error() const { return to_error(judged); }
};

/// The longest list page of the server.
inline constexpr std::size_t page_size = 200;

/// Speaks to one control server as one client. Every request is signed when it is sent, so a repeated one is never
/// expired. A request that makes no sense now is not sent: while the server refuses our credentials all but one in a
/// while are answered with its last refusal, and what a Retry-After holds back with the rest of that time.
class Api {
 public:
  /// malformed: `url` is not "http[s]://host[:port][/prefix]". Client and clock outlive the result.
  static Result<Api> make(http::Client& client, const Clock& clock, std::shared_ptr<Standing> standing,
                          std::string_view url);
  /// The same with a standing of its own.
  static Result<Api> make(http::Client& client, const Clock& clock, Credentials credentials, std::string_view url);

  /// 60 s unless told: a request in which no byte moves for so long is given up.
  void set_idle_timeout(std::chrono::milliseconds timeout) { idle_timeout_ = timeout; }

  boost::asio::awaitable<Reply> send(Call call) const;

  /// Reads a list page by page (limit and offset always together) and shows its rows to `row` until that returns false,
  /// at most `pages` pages. The reply is that of the last page.
  boost::asio::awaitable<Reply> list(Call call, std::function<bool(const boost::json::object&)> row,
                                     std::size_t page = page_size, std::size_t pages = 50) const;

  /// The request as it goes on the wire, signed now; for downloads, which somebody else sends.
  [[nodiscard]] Result<http::Request> signed_request(Call call) const;

  [[nodiscard]] const Credentials& credentials() const { return standing_->credentials(); }
  [[nodiscard]] Standing& standing() const { return *standing_; }
  [[nodiscard]] const std::string& url() const { return url_; }  ///< Without a slash at its end.
  [[nodiscard]] const http::Url& parsed() const { return parsed_; }
  [[nodiscard]] Expectation expectation(const Call& call) const;

 private:
  Api(http::Client& client, const Clock& clock, std::shared_ptr<Standing> standing, std::string url, http::Url parsed)
      : client_{&client},
        clock_{&clock},
        standing_{std::move(standing)},
        url_{std::move(url)},
        parsed_{std::move(parsed)} {}

  boost::asio::awaitable<Reply> send_once(Call call) const;
  boost::asio::awaitable<bool> knows_us() const;
  void take_note(const Reply& reply, const std::string& endpoint, bool was_refused) const;

  http::Client* client_;
  const Clock* clock_;
  std::shared_ptr<Standing> standing_;
  std::string url_;
  http::Url parsed_;
  std::chrono::milliseconds idle_timeout_ = std::chrono::seconds{60};
};

/// "outpost/0.1.0": User-Agent and Client-Version, at most 255 characters or jobs cannot be created.
[[nodiscard]] std::string agent_name();

/// Whether an id may become part of a path: a uuid in lower case, since anything else is answered with a page.
[[nodiscard]] bool is_id(std::string_view text);

}  // namespace outpost::dci
