#pragma once

#include "agent/http/server.hpp"
#include "samples/dlrn-server/api.hpp"
#include "samples/dlrn-server/builder.hpp"

#include <boost/asio/awaitable.hpp>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace outpost::sample_builder {

/// The whole double: give handler() to an http::Server. One thread; it must outlive the server. The API is below
/// `<api>/api`, the web tree below `<tree>`, and what feeds it below /_feed.
class DlrnServer {
 public:
  struct Options {
    std::filesystem::path data;        ///< For the web tree and the state; made if need be.
    std::string api = "/api-centos9";  ///< Prefixes, as a builder's proxy gives them.
    std::string tree = "/centos9";
    bool components = true;
    Api::Options access;
    std::filesystem::path request_log;  ///< A line for each request: method, target, status; empty: none.
  };

  explicit DlrnServer(Options options);

  [[nodiscard]] http::Handler handler();
  /// "http://127.0.0.1:5000": how others reach it; due before the first build.
  void set_url(const std::string& url) { builder_.set_tree_url(url + options_.tree); }
  [[nodiscard]] Builder& builder() { return builder_; }

 private:
  boost::asio::awaitable<http::ServerResponse> serve(http::ServerRequest& request);
  [[nodiscard]] http::ServerResponse file(const http::ServerRequest& request, const std::string& path) const;
  /// Not in the original: POST /_feed {project, component, commit, distro, extended, status, built_at, consistent}
  /// answers {directory}; POST /_feed/consistent and /_feed/purge {commit, distro, extended}; POST /_feed/remote {url, and
  /// what /_feed takes}; POST /_feed/lose {path, times}: answers of that path do not arrive, though what was asked for is
  /// done; POST /_feed/fail {path, times, status}: they are pages of that status, and nothing is done.
  [[nodiscard]] http::ServerResponse feed(const std::string& path, const std::string& body);

  Options options_;
  Builder builder_;
  Api api_;
  std::ofstream log_;

  /// What becomes of the next requests whose path ends so.
  struct Trouble {
    std::string path;
    std::int64_t times = 0;
    int status = 0;

    bool comes(const std::string& asked) { return times > 0 && asked.ends_with(path) && times-- > 0; }
  };
  Trouble lost_, failing_;
};

}  // namespace outpost::sample_builder
