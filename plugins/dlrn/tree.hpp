#pragma once

#include "agent/base/result.hpp"
#include "agent/http/client.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace outpost::dlrn {

/// Reads small files of a builder's web tree. Nothing of ours goes along: it is open, and another server than the API.
class Tree {
 public:
  /// malformed: the url is no address. The client outlives the result.
  static Result<Tree> make(http::Client& client, std::string url, std::chrono::milliseconds idle_timeout);

  /// What is at `path` now; nothing where the server says 404. Asked for by its ETag, but every tenth time without:
  /// two files of one size that were made in the same second have the same ETag, and a label that moved from one to the
  /// other would go unseen. Never by Last-Modified, which goes backwards with a label that is rolled back. What is
  /// returned may well be what the last call returned: compare it.
  boost::asio::awaitable<Result<std::optional<std::string>>> watch(std::string path);

  /// The same without any memory, at an absolute address.
  boost::asio::awaitable<Result<std::optional<std::string>>> read(std::string url) const;

  [[nodiscard]] const std::string& url() const { return url_; }  ///< Without a slash at its end.

 private:
  struct Remembered {
    std::string etag, body;
    unsigned conditional = 0;  ///< Requests since the last one without a condition.
  };

  Tree(http::Client& client, std::string url, std::chrono::milliseconds idle_timeout)
      : client_{&client}, url_{std::move(url)}, idle_timeout_{idle_timeout} {}
  boost::asio::awaitable<Result<http::Response>> get(std::string url, std::string etag) const;

  http::Client* client_;
  std::string url_;
  std::chrono::milliseconds idle_timeout_;
  std::map<std::string, Remembered> remembered_;
};

}  // namespace outpost::dlrn
