#pragma once

#include "agent/base/hash.hpp"
#include "agent/files/downloader.hpp"
#include "fakes/fake_http_client.hpp"
#include "support/await.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace outpost::test {

/// Bytes that do not repeat soon.
inline std::string content_of(std::size_t size) {
  std::string content(size, '\0');
  for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 31 + i / 251);
  return content;
}

/// A server that has one file and obeys Range and If-Range.
struct FileServer {
  std::string content;
  std::string etag;

  FakeReply operator()(const http::Request& request) const {
    FakeReply reply;
    if (!etag.empty()) reply.headers.set("ETag", etag);
    const std::string range{request.headers.get("Range")};
    const bool valid = !request.headers.has("If-Range") || request.headers.get("If-Range") == etag;
    if (range.empty() || !valid) {
      reply.body = content;
      return reply;
    }
    const std::size_t first = std::stoul(range.substr(6));
    if (first >= content.size()) {
      reply.status = 416;
      reply.headers.set("Content-Range", "bytes */" + std::to_string(content.size()));
      return reply;
    }
    reply.status = 206;
    reply.headers.set("Content-Range", "bytes " + std::to_string(first) + "-" + std::to_string(content.size() - 1) +
                                           "/" + std::to_string(content.size()));
    reply.body = content.substr(first);
    return reply;
  }
};

inline FakeReply redirect_to(std::string where, int status = 302) {
  FakeReply reply;
  reply.status = status;
  reply.headers.set("Location", std::move(where));
  return reply;
}

inline FakeReply status(int code, std::string body = {}) {
  FakeReply reply;
  reply.status = code;
  reply.body = std::move(body);
  return reply;
}

/// A downloader with a scripted client, and a directory that gets the file.
struct DownloadBench {
  TemporaryDirectory directory;
  boost::asio::io_context loop;  // Outlives the workers, who still touch it when their work has been taken over.
  Workers workers{1};
  FakeHttpClient client;
  files::DownloadRequest request;
  files::DownloadOptions options;
  int opened = 0;

  explicit DownloadBench(FakeHttpClient::Script script) : client{std::move(script)} { prepare(); }
  explicit DownloadBench(std::vector<FakeReply> replies) : client{std::move(replies)} { prepare(); }

  void prepare() {
    request.target = directory.path / "file.tar";
    request.open = [this]() { return open("https://api.example.org/files/1?sig=secret"); };
    options.backoff_base = options.backoff_cap = std::chrono::milliseconds{0};
  }

  boost::asio::awaitable<Result<http::Request>> open(std::string url) {
    ++opened;
    http::Request made;
    made.url = std::move(url);
    made.headers.set("Authorization", "DCI2-HMAC-SHA256 secret");
    made.headers.set("X-DCI-Date", "20261120T223206Z");
    co_return made;
  }

  void expect(const std::string& content) {
    request.expected_size = content.size();
    request.expected_sha256 = sha256_hex(content);
  }

  Result<files::Downloaded> run() {
    files::Downloader downloader{client, workers, options};
    return await(loop, downloader.download(request));
  }

  [[nodiscard]] std::filesystem::path part() const { return directory.path / "file.tar.part"; }
  [[nodiscard]] std::string got() const { return read_file(request.target); }
  [[nodiscard]] bool nothing_left() const { return std::filesystem::is_empty(directory.path); }
};

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace outpost::test
