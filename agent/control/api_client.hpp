#pragma once

#include "agent/base/result.hpp"
#include "agent/http/client.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/value.hpp>

#include <filesystem>
#include <string>

namespace outpost::control {

/// The client's side of the local API.
class ApiClient {
 public:
  ApiClient(http::Client& client, std::filesystem::path socket) : client_{client}, socket_{std::move(socket)} {}

  /// The JSON answer of GET `path` ("/api/v1/status"). unavailable: the daemon does not answer, and what to look at;
  /// refused: it answered with an error, whose message this is.
  boost::asio::awaitable<Result<boost::json::value>> get(std::string path);

 private:
  http::Client& client_;
  std::filesystem::path socket_;
};

}  // namespace outpost::control
