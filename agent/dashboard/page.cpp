#include "agent/dashboard/page.hpp"

#include "agent/base/hash.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>

namespace outpost::dashboard {
namespace {

using http::ServerRequest;
using http::ServerResponse;

std::string_view type_of(std::string_view path) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> types{{{".html", "text/html; charset=utf-8"},
                                                                                      {".js", "text/javascript; charset=utf-8"},
                                                                                      {".mjs", "text/javascript; charset=utf-8"},
                                                                                      {".css", "text/css; charset=utf-8"},
                                                                                      {".svg", "image/svg+xml"},
                                                                                      {".json", "application/json"}}};
  for (const auto& [ending, type] : types)
    if (path.ends_with(ending)) return type;
  return "text/plain; charset=utf-8";
}

std::string raw(std::string_view hex) {
  std::string bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) bytes += static_cast<char>(std::stoi(std::string{hex.substr(at, 2)}, nullptr, 16));
  return bytes;
}

/// The one script that stands in the page itself, because browsers take no other map of imports.
std::string_view import_map_in(std::string_view html) {
  constexpr std::string_view opening = "<script type=\"importmap\">";
  const auto begin = html.find(opening), end = html.find("</script>", begin);
  if (begin == std::string_view::npos || end == std::string_view::npos) return {};
  return html.substr(begin + opening.size(), end - begin - opening.size());
}

/// Scripts, styles and data of this origin only; nothing inline but the import map, which is named by its hash.
std::string policy_for(std::string_view html) {
  const std::string hash = to_base64(raw(sha256_hex(import_map_in(html))));
  return "default-src 'none'; script-src 'self' 'sha256-" + hash +
         "'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
}

struct Page {
  explicit Page(http::Handler handler) : api{std::move(handler)} {
    for (const auto& asset : assets()) {
      files.emplace("/" + std::string{asset.path}, asset.content);
      tags.emplace("/" + std::string{asset.path}, "\"" + sha256_hex(asset.content).substr(0, 32) + "\"");
    }
    policy = policy_for(files.at("/page/index.html"));
  }

  http::Handler api;
  std::map<std::string, std::string_view, std::less<>> files;
  std::map<std::string, std::string, std::less<>> tags;
  std::string policy;

  [[nodiscard]] ServerResponse answer(const ServerRequest& request) const {
    ServerResponse response;
    const auto found = files.find(request.path == "/" ? "/page/index.html" : std::string_view{request.path});
    response.headers.set("Content-Security-Policy", policy);
    if (found == files.end()) return refused(404, "There is no such page.\n");
    if (request.method != "GET" && request.method != "HEAD") return refused(405, "A page can only be read.\n");
    response.headers.set("Content-Type", std::string{type_of(found->first)});
    // Asked for again each time, so that a page never meets a daemon of another version.
    response.headers.set("Cache-Control", "no-cache");
    response.headers.set("ETag", tags.at(found->first));
    response.status = request.headers.get("If-None-Match") == tags.at(found->first) ? 304 : 200;
    if (response.status == 200) response.body = std::string{found->second};
    return response;
  }

  static ServerResponse refused(int status, const char* text) {
    ServerResponse response;
    response.status = status;
    response.headers.set("Content-Type", "text/plain; charset=utf-8");
    response.body = std::string{text};
    return response;
  }
};

boost::asio::awaitable<ServerResponse> answer(std::shared_ptr<const Page> page, ServerRequest& request) {
  if (request.path.starts_with("/api/")) co_return co_await page->api(request);
  co_return page->answer(request);
}

}  // namespace

http::Handler with_page(http::Handler api) {
  auto page = std::make_shared<const Page>(std::move(api));
  return [page](ServerRequest& request) { return answer(page, request); };
}

}  // namespace outpost::dashboard
