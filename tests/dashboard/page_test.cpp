#include "agent/dashboard/page.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/document.hpp"

#include <zstd.h>

#include <set>

using namespace outpost;
using namespace outpost::test;

namespace {

struct PageRequest final : http::ServerRequest {
  boost::asio::awaitable<Result<std::string>> read_some() override { co_return std::string{}; }
};

http::ServerResponse ask(std::string path, std::string method = "GET", http::Headers headers = {}) {
  const auto page = dashboard::with_page([](http::ServerRequest&) -> boost::asio::awaitable<http::ServerResponse> {
    http::ServerResponse response;
    response.body = std::string{"of the API"};
    co_return response;
  });
  PageRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.headers = std::move(headers);
  return await(page(request));
}

std::string body_of(const http::ServerResponse& response) { return std::get<std::string>(response.body); }

}  // namespace

TEST_CASE("the page is at the root, its files below, and the API stays the API") {
  CHECK(body_of(ask("/")).starts_with("<!doctype html>"));
  CHECK(ask("/").headers.get("Content-Type") == "text/html; charset=utf-8");
  CHECK(ask("/page/main.js").headers.get("Content-Type") == "text/javascript; charset=utf-8");
  CHECK(ask("/vendor/preact/preact.mjs").status == 200);
  CHECK(body_of(ask("/api/v1/status")) == "of the API");
}

TEST_CASE("there is nothing but the files of the page, whatever path is asked for") {
  for (const char* path : {"/page", "/page/", "/page/../page/main.js", "/../../etc/passwd", "//etc/passwd", "/vendor/README.md", "/agent/dashboard/page.cpp", ""})
    CHECK(ask(path).status == 404);
  CHECK(ask("/", "POST").status == 405);
}

TEST_CASE("a file that the browser has is not sent again") {
  const auto first = ask("/page/main.js");
  const auto tag = std::string{first.headers.get("ETag")};
  CHECK(tag.size() > 10);
  CHECK(ask("/page/main.js", "GET", {{"If-None-Match", tag}}).status == 304);
  CHECK(ask("/page/main.js", "GET", {{"If-None-Match", "\"x\""}}).status == 200);
}

TEST_CASE("the policy of the page allows its own scripts and the import map, by its hash, and nothing inline") {
  const std::string policy{ask("/").headers.get("Content-Security-Policy")};
  CHECK(policy.starts_with("default-src 'none'; script-src 'self' 'sha256-"));
  CHECK(policy.find("unsafe") == std::string::npos);
  CHECK(policy.find("http") == std::string::npos);
  const std::string html = body_of(ask("/"));
  CHECK(html.find(" on") == std::string::npos);
  CHECK(html.find("style=") == std::string::npos);
}

TEST_CASE("the page asks nobody else: no address of another host is in what we wrote") {
  for (const auto& asset : dashboard::assets()) {
    if (!asset.path.starts_with("page/") || asset.path.ends_with(".svg")) continue;
    INFO(asset.path);
    CHECK(asset.content.find("://") == std::string_view::npos);
    CHECK(asset.content.find("innerHTML") == std::string_view::npos);
  }
}

TEST_CASE("everything that the page names is in the program") {
  std::set<std::string> there;
  for (const auto& asset : dashboard::assets()) there.insert("/" + std::string{asset.path});
  for (const auto& asset : dashboard::assets()) {
    if (!asset.path.starts_with("page/")) continue;
    const std::string text{asset.content};
    INFO(asset.path);
    for (const auto& file : all_matches(text, "\"(/(?:page|vendor)/[^\"]+)\"")) CHECK(there.contains(file));
    for (const auto& file : all_matches(text, "'(/(?:page|vendor)/[^']+)'")) CHECK(there.contains(file));
    for (const auto& file : all_matches(text, "from '\\./([^']+)'")) CHECK(there.contains("/page/" + file));
    for (const auto& file : all_matches(text, "later\\('([^']+)'")) CHECK(there.contains("/page/" + file));
  }
}

TEST_CASE("the page is below 300 kB compressed") {
  std::size_t whole = 0;
  for (const auto& asset : dashboard::assets()) {
    std::string packed(ZSTD_compressBound(asset.content.size()), '\0');
    const auto size = ZSTD_compress(packed.data(), packed.size(), asset.content.data(), asset.content.size(), 3);
    REQUIRE_FALSE(ZSTD_isError(size));
    whole += size;
  }
  CHECK(whole < 300'000);
}

TEST_CASE("what others wrote is what its README says, byte for byte") {
  const auto table = rows(text_of("agent/dashboard/vendor/README.md"));
  std::set<std::string> listed;
  for (const auto& row : table) {
    if (row.size() < 5 || quoted(row.at(0)).empty() || quoted(row.at(4)).empty()) continue;
    const std::string file = *quoted(row.at(0)).begin();
    INFO(file);
    CHECK(sha256_hex(text_of("agent/dashboard/vendor/" + file)) == *quoted(row.at(4)).begin());
    listed.insert("vendor/" + file);
  }
  for (const auto& asset : dashboard::assets())
    if (asset.path.starts_with("vendor/")) CHECK(listed.contains(std::string{asset.path}));
  CHECK(listed.size() == 8);
}
