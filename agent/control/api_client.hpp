#pragma once

#include "agent/base/result.hpp"
#include "agent/http/client.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <filesystem>
#include <string>

namespace outpost::control {

/// What the daemon says about an archive in the head of its answer.
[[nodiscard]] Result<boost::json::object> spool_summary(const http::Response& head);

/// The client's side of the local API.
class ApiClient {
 public:
  ApiClient(http::Client& client, std::filesystem::path socket) : client_{client}, socket_{std::move(socket)} {}

  /// The JSON answer of GET `path` ("/api/v1/status"). unavailable: the daemon does not answer, and what to look at;
  /// refused, malformed (400, 422): it answered with an error, whose
  /// message this is, with its problems below it.
  boost::asio::awaitable<Result<boost::json::value>> get(std::string path);
  /// The same of POST with a JSON object.
  boost::asio::awaitable<Result<boost::json::value>> post(std::string path, boost::json::object body);
  /// What waits for this reporter ("": the only one that has something waiting) as a spool archive. unavailable: the
  /// daemon does not answer; malformed: a reporter must be named; refused: it said no, and why.
  boost::asio::awaitable<Result<void>> export_spool(std::string reporter, http::BodySink archive);
  /// Gives the daemon the receipt of an import. {reporter, settled, others}. Errors as export_spool()'s.
  boost::asio::awaitable<Result<boost::json::object>> confirm_spool(std::filesystem::path receipt);

 private:
  boost::asio::awaitable<Result<boost::json::value>> ask(http::Request wanted);
  [[nodiscard]] http::Request request(std::string path) const;
  [[nodiscard]] Error no_answer(const Error& error) const;

  http::Client& client_;
  std::filesystem::path socket_;
};

}  // namespace outpost::control
