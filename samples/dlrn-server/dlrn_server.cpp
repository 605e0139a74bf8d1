#include "samples/dlrn-server/dlrn_server.hpp"

#include "agent/base/text.hpp"
#include "agent/files/safe_path.hpp"
#include "agent/job/event.hpp"
#include "samples/dlrn-server/answers.hpp"

#include <boost/json/parse.hpp>

#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <ctime>

namespace outpost::sample_builder {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using job::flag_at;
using job::number_at;
using job::text_at;

constexpr std::size_t body_limit = 1 << 20;

/// As nginx makes it: seconds and size of the file, so two files may well have the same.
std::string etag_of(const struct stat& status) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "\"%llx-%llx\"", static_cast<unsigned long long>(status.st_mtim.tv_sec), static_cast<unsigned long long>(status.st_size));
  return text.data();
}

std::string last_modified_of(const struct stat& status) {
  std::array<char, 64> text{};
  std::tm parts{};
  ::gmtime_r(&status.st_mtim.tv_sec, &parts);
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

}  // namespace

DlrnServer::DlrnServer(Options options)
    : options_{std::move(options)},
      builder_{{options_.data / "tree", options_.tree, options_.components}},
      api_{builder_, options_.access} {
  if (!options_.request_log.empty()) log_.open(options_.request_log, std::ios::app);
}

http::Handler DlrnServer::handler() {
  return [this](http::ServerRequest& request) { return serve(request); };
}

boost::asio::awaitable<http::ServerResponse> DlrnServer::serve(http::ServerRequest& request) {
  auto body = co_await request.read_all(body_limit);
  http::ServerResponse response;
  if (!body) {
    response.break_after = 0;
    co_return response;
  }
  const auto below = [&](const std::string& prefix) { return request.path.starts_with(prefix + '/'); };
  if (request.path == "/_feed" || below("/_feed")) response = feed(request.path, *body);
  else if (failing_.comes(request.path)) response = page_answer(failing_.status);
  else if (below(options_.api)) response = api_.answer(request, request.path.substr(options_.api.size()), *body);
  else if (below(options_.tree)) response = file(request, request.path.substr(options_.tree.size() + 1));
  else response = page_answer(404);
  const bool lost = lost_.comes(request.path);
  if (lost) response.break_after = 0;
  if (log_.is_open()) log_ << request.method << ' ' << printable(request.target) << ' ' << response.status << (lost ? " lost" : "") << '\n' << std::flush;
  co_return response;
}

http::ServerResponse DlrnServer::file(const http::ServerRequest& request, const std::string& path) const {
  if (request.method != "GET" && request.method != "HEAD") return page_answer(405);
  struct stat status{};
  const fs::path whole = options_.data / "tree" / path;
  if (!files::check_name(path) || ::stat(whole.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return page_answer(404);
  http::ServerResponse response;
  const std::string etag = etag_of(status);
  response.headers = {{"Content-Type", "application/octet-stream"}, {"ETag", etag}, {"Last-Modified", last_modified_of(status)}};
  if (request.headers.get("If-None-Match") == etag) {
    response.status = 304;
    return response;
  }
  response.body = http::FileRange{whole, 0, static_cast<std::uint64_t>(status.st_size)};
  return response;
}

http::ServerResponse DlrnServer::feed(const std::string& path, const std::string& body) {
  boost::system::error_code broken;
  const auto value = json::parse(body, broken);
  if (broken || !value.is_object()) return json_answer(400, {{"message", "an object is due"}});
  const auto& given = value.get_object();
  try {
    if (path == "/_feed/lose" || path == "/_feed/fail") {
      (path == "/_feed/lose" ? lost_ : failing_) = {text_at(given, "path"), number_at(given, "times", 1), static_cast<int>(number_at(given, "status", 500))};
      return json_answer(200, json::object{});
    }
    Build build{.commit = text_at(given, "commit"), .distro = text_at(given, "distro"), .extended = text_at(given, "extended"),
                .component = text_at(given, "component"), .project = text_at(given, "project"), .built_at = number_at(given, "built_at", builder_.now())};
    if (path == "/_feed/remote") {
      builder_.know_remote(text_at(given, "url"), build);
      return json_answer(200, json::object{});
    }
    if (path != "/_feed") {
      const auto known = builder_.find(build.commit, build.distro, build.extended);
      if (!known) return json_answer(400, {{"message", "no such build"}});
      if (path == "/_feed/consistent") builder_.set_consistent(*known);
      else if (path == "/_feed/purge") builder_.purge(*known);
      else return page_answer(404);
      return json_answer(200, json::object{});
    }
    if (given.contains("status")) build.status = text_at(given, "status");
    const auto added = builder_.add(build);
    if (flag_at(given, "consistent")) builder_.set_consistent(added);
    return json_answer(201, {{"directory", builder_.directory_of(build).string()}, {"url", builder_.url_of(build)}});
  } catch (const Refusal& refusal) {
    return json_answer(refusal.status, {{"message", refusal.message}});
  }
}

}  // namespace outpost::sample_builder
