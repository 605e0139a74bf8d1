#include "agent/control/api_client.hpp"

#include "agent/base/text.hpp"
#include "agent/control/agent_control.hpp"
#include "agent/job/event.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace outpost::control {

namespace json = boost::json;

namespace {

/// What a daemon's answer that is no success says.
Error refusal(const http::Response& answer) {
  const Fault fault = answer.status == 400 || answer.status == 422 ? Fault::malformed : answer.status == 504 ? Fault::retry_later : Fault::refused;
  boost::system::error_code error;
  const json::value body = json::parse(answer.body, error);
  if (!error && body.is_object())
    if (const auto* problem = body.get_object().if_contains("error"); problem && problem->is_object()) {
      std::string message = printable(job::text_at(problem->get_object(), "message"));
      for (const auto& line : job::texts_at(problem->get_object(), "problems")) message += "\n" + printable(line);
      return {fault, std::move(message)};
    }
  return {fault, "the daemon answered with status " + std::to_string(answer.status)};
}

}  // namespace

Result<json::object> spool_summary(const http::Response& head) {
  boost::system::error_code error;
  json::value summary = json::parse(head.headers.get(spool_header), error);
  if (error || !summary.is_object())
    return Error{Fault::malformed, "the daemon does not say what it exports; is it of this version? outpost status"};
  return std::move(summary.get_object());
}

http::Request ApiClient::request(std::string path) const {
  http::Request request;
  request.url = "http://localhost" + path;
  request.unix_socket = socket_.string();
  request.idle_timeout = std::chrono::seconds{20};
  return request;
}

Error ApiClient::no_answer(const Error& error) const {
  return {Fault::unavailable, "the daemon does not answer on " + socket_.string() + " (" + error.message +
                                  "); is outpostd running? systemctl status outpostd"};
}

boost::asio::awaitable<Result<json::value>> ApiClient::get(std::string path) { return ask(request(std::move(path))); }

boost::asio::awaitable<Result<json::value>> ApiClient::post(std::string path, json::object body) {
  http::Request wanted = request(std::move(path));
  wanted.method = "POST";
  wanted.headers.set("Content-Type", "application/json");
  // A job is started when its server was asked for components, and one that hangs is given up after a while only.
  wanted.idle_timeout = std::chrono::minutes{2};
  wanted.body = json::serialize(body);
  return ask(std::move(wanted));
}

boost::asio::awaitable<Result<json::value>> ApiClient::ask(http::Request wanted) {
  const auto answer = co_await client_.send(std::move(wanted));
  if (!answer) co_return no_answer(answer.error());
  boost::system::error_code error;
  json::value body = json::parse(answer->body, error);
  if (answer->status / 100 == 2 && !error) co_return body;
  co_return refusal(*answer);
}

boost::asio::awaitable<Result<void>> ApiClient::export_spool(std::string reporter, http::BodySink archive) {
  http::Request wanted = request("/api/v1/spool/export?reporter=" + percent_encode(reporter));
  wanted.method = "POST";
  wanted.idle_timeout = std::chrono::minutes{10};  // While a slow disk is read or a long backlog is written down.
  bool begun = false;
  http::BodySink sink;
  sink.begin = [&](const http::Response& head) {
    begun = true;
    return archive.begin(head);
  };
  sink.write = archive.write;
  const auto answer = co_await client_.fetch(std::move(wanted), std::move(sink));
  // From the sink, or the daemon broke off.
  if (!answer && begun) co_return std::move(answer.error()).in("the archive did not come whole");
  if (!answer) co_return no_answer(answer.error());
  if (answer->status / 100 == 2) co_return Result<void>{};
  co_return refusal(*answer);
}

boost::asio::awaitable<Result<json::object>> ApiClient::confirm_spool(std::filesystem::path receipt) {
  http::Request wanted = request("/api/v1/spool/confirm");
  wanted.method = "POST";
  wanted.idle_timeout = std::chrono::minutes{10};
  std::error_code failed;
  const std::uint64_t size = std::filesystem::file_size(receipt, failed);
  if (failed) co_return errno_error("cannot read", receipt.native(), failed.value());
  wanted.body = http::FileRange{std::move(receipt), 0, size};
  const auto answer = co_await client_.send(std::move(wanted));
  if (!answer) co_return no_answer(answer.error());
  boost::system::error_code error;
  json::value body = json::parse(answer->body, error);
  if (answer->status / 100 == 2 && !error && body.is_object()) co_return std::move(body.get_object());
  co_return refusal(*answer);
}

}  // namespace outpost::control
