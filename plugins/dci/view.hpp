#pragma once

#include "plugins/dci/api.hpp"
#include "plugins/dci/dci.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/array.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace outpost::dci {

/// What a person wants to know of a control server. It only reads; secrets of the server's rows are not in what it
/// returns. Errors as Api's, for the source port.
class View {
 public:
  /// Client and clock outlive the result. malformed: the url.
  static Result<View> make(const Server& server, http::Client& client, const Clock& clock);
  View(Api api, const Clock& clock) : api_{std::move(api)}, clock_{&clock} {}

  /// What came back when the server was asked who we are.
  struct Contact {
    Reply reply;  ///< Its answer has the identity.
    std::chrono::milliseconds took{0};
    std::optional<std::chrono::seconds> ahead;  ///< How far the server's clock is ahead of ours.
  };
  boost::asio::awaitable<Contact> contact() const;

  /// The active topics that we may see, by name.
  boost::asio::awaitable<Result<boost::json::array>> topics() const;
  /// One of them. refused: there is none, or not for us; the message names one that may be meant.
  boost::asio::awaitable<Result<boost::json::object>> topic(std::string name) const;
  /// The newest components of a topic, or of all when that is empty; of one type, unless that is empty.
  boost::asio::awaitable<Result<boost::json::array>> components(std::string topic, std::string type,
                                                                std::size_t limit) const;
  /// The newest jobs of ours.
  boost::asio::awaitable<Result<boost::json::array>> jobs(std::size_t limit) const;

  [[nodiscard]] const Api& api() const { return api_; }

 private:
  boost::asio::awaitable<Result<boost::json::array>> rows(Call call, std::size_t limit) const;

  Api api_;
  const Clock* clock_;
};

}  // namespace outpost::dci
