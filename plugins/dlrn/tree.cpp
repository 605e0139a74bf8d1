#include "plugins/dlrn/tree.hpp"

#include "agent/base/text.hpp"
#include "agent/http/url.hpp"

namespace outpost::dlrn {
namespace {

using boost::asio::awaitable;
using Content = Result<std::optional<std::string>>;

constexpr unsigned conditional_in_a_row = 9;
constexpr std::size_t largest = 4 * 1024 * 1024;  ///< A commit.yaml of a whole builder is some hundred kilobytes.

Error unexpected(const std::string& url, const http::Response& response) {
  const std::string message = "GET " + printable(url, 300) + ": " + std::to_string(response.status);
  const bool later = response.status >= 500 || response.status == 429 || response.status == 408;
  if (later) return {Fault::retry_later, message};
  return {Fault::refused, message + ": is this the address of the builder's web tree, and is it open to us?"};
}

}  // namespace

Result<Tree> Tree::make(http::Client& client, std::string url, std::chrono::milliseconds idle_timeout) {
  while (url.ends_with('/')) url.pop_back();
  if (const auto parsed = http::parse_url(url); !parsed) return Error{parsed.error()}.in("tree");
  return Tree{client, std::move(url), idle_timeout};
}

awaitable<Result<http::Response>> Tree::get(std::string url, std::string etag) const {
  http::Request request;
  request.url = std::move(url);
  request.idle_timeout = idle_timeout_;
  request.response_limit = largest;
  request.headers.set("Cache-Control", "no-cache");  // A proxy may have kept what a label was.
  if (!etag.empty()) request.headers.set("If-None-Match", std::move(etag));
  co_return co_await client_->send(std::move(request));
}

awaitable<Content> Tree::watch(std::string path) {
  std::string url = url_ + '/' + percent_encode(path, true);
  std::string etag;
  if (const auto known = remembered_.find(path); known != remembered_.end() && known->second.conditional < conditional_in_a_row)
    etag = known->second.etag;
  const bool conditional = !etag.empty();
  std::string address = url;
  auto response = co_await get(std::move(address), std::move(etag));
  if (!response) co_return response.error();
  auto& remembered = remembered_[path];
  remembered.conditional = conditional ? remembered.conditional + 1 : 0;
  if (response->status == 304 && conditional) co_return std::optional{remembered.body};
  if (response->status == 404) {
    remembered_.erase(path);
    co_return std::optional<std::string>{};
  }
  if (response->status != 200) co_return unexpected(url, *response);
  remembered.etag = response->headers.get("ETag");
  remembered.body = std::move(response->body);
  co_return std::optional{remembered.body};
}

awaitable<Content> Tree::read(std::string url) const {
  std::string address = url, none;
  auto response = co_await get(std::move(address), std::move(none));
  if (!response) co_return response.error();
  if (response->status == 404) co_return std::optional<std::string>{};
  if (response->status != 200) co_return unexpected(url, *response);
  co_return std::optional{std::move(response->body)};
}

}  // namespace outpost::dlrn
