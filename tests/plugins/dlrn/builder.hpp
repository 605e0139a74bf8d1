#pragma once

#include "agent/base/hash.hpp"
#include "fakes/fake_http_client.hpp"
#include "fakes/fixed_clock.hpp"
#include "plugins/dlrn/dlrn.hpp"
#include "plugins/dlrn/printing.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <map>
#include <string>

namespace outpost::dlrn::test {

namespace json = boost::json;
using outpost::test::await;
using outpost::test::holds;

inline const std::string api_url = "http://127.0.0.1:1/api", tree_url = "http://127.0.0.1:1/tree";
inline const BuildHash first{"11aa" + std::string(36, '0'), "22bb" + std::string(36, '0'), ""};
inline const BuildHash second{"33cc" + std::string(36, '0'), "44dd" + std::string(36, '0'),
                              std::string(40, 'e') + '_' + std::string(40, 'f')};

inline std::string commit_yaml(const BuildHash& build, const std::string& component) {
  const auto or_none = [](const std::string& text) { return text.empty() ? std::string{"None"} : text; };
  return "commits:\n- artifacts: repos/a.rpm\n  commit_hash: " + build.commit + "\n  component: " + or_none(component) +
         "\n  distro_hash: " + build.distro + "\n  dt_build: '1700173400'\n  dt_commit: '1700173000.0'\n  extended_hash: " +
         or_none(build.extended) + "\n  project_name: openstack-nova\n  status: SUCCESS\n";
}

inline std::string repo_file(const std::string& section, const std::string& baseurl) {
  return "[" + section + "]\nname=" + section + "-openstack-nova\nbaseurl=" + baseurl + "\nenabled=1\ngpgcheck=0\npriority=1\n";
}

/// A builder as the plugin sees it: files by their path below the tree, rows of the API; everything else is 404.
struct FakeBuilder {
  std::map<std::string, std::string> files;
  std::map<std::string, std::string> etags;  ///< Of files; those that are not here have none.
  json::array promotions;                    ///< Newest first.
  json::array votes;
  json::value last_tested;  ///< null: 400.
  std::optional<outpost::test::FakeReply> instead;  ///< Of any POST that writes.
  bool loses_answers = false;                       ///< Writes, and nobody hears of it.
  outpost::test::FakeHttpClient client{[this](const http::Request& request) { return answer(request); }};
  outpost::test::FixedClock clock;
  Workers workers;

  Server server() const {
    return {{.base = api_url, .authorization = std::make_shared<BasicAuthorization>("lab", config::Secret{"secret"})}, tree_url};
  }
  std::unique_ptr<pipeline::Source> source(SourceSettings settings = {.name = "dlrn"}) {
    return *make_source(server(), std::move(settings), client, workers, clock);
  }
  std::unique_ptr<pipeline::Reporter> reporter(VoteSettings settings = {.source = "dlrn"}) {
    return *make_reporter(server(), std::move(settings), client, clock);
  }

  std::size_t count(std::string_view method, std::string_view part) const {
    std::size_t found = 0;
    for (const auto& request : client.requests)
      if (request.method == method && request.url.find(part) != std::string::npos) ++found;
    return found;
  }

  static outpost::test::FakeReply says(int status, const json::value& body) {
    return {.status = status, .headers = {{"Content-Type", "application/json"}}, .body = json::serialize(body)};
  }

 private:
  outpost::test::FakeReply answer(const http::Request& request) {
    const std::string path = request.url.substr(0, request.url.find('?'));
    if (path.starts_with(tree_url + "/")) return file(path.substr(tree_url.size() + 1), request);
    if (request.method == "POST") return write(path, json::parse(std::get<std::string>(request.body)).get_object());
    if (path == api_url + "/api/promotions") return says(200, page_of(number_of(request.url, "offset=", 0), number_of(request.url, "limit=", promotions.size())));
    if (path == api_url + "/api/repo_status" || path == api_url + "/api/agg_status") return says(200, votes);
    if (path == api_url + "/api/last_tested_repo") return last_tested.is_null() ? says(400, {{"message", "No vote found"}}) : says(200, last_tested);
    return {.status = 404};
  }

  static std::size_t number_of(const std::string& url, const std::string& name, std::size_t otherwise) {
    const auto at = url.find(name);
    return at == std::string::npos ? otherwise : static_cast<std::size_t>(std::stoul(url.substr(at + name.size())));
  }
  json::array page_of(std::size_t offset, std::size_t limit) const {
    json::array rows;
    for (std::size_t at = offset; at < promotions.size() && rows.size() < limit; ++at) rows.push_back(promotions[at]);
    return rows;
  }

  outpost::test::FakeReply file(const std::string& path, const http::Request& request) {
    const auto found = files.find(path);
    if (found == files.end()) return {.status = 404, .body = "<html>"};
    outpost::test::FakeReply reply{.body = found->second};
    if (const auto etag = etags.find(path); etag != etags.end()) {
      reply.headers.set("ETag", etag->second);
      if (request.headers.get("If-None-Match") == etag->second) return {.status = 304};
    }
    return reply;
  }

  outpost::test::FakeReply write(const std::string& path, json::object row) {
    if (instead) return *instead;
    if (path.ends_with("/last_tested_repo")) {
      json::object taken = last_tested.as_object();
      taken["job_id"] = row.at("reporting_job_id");
      taken["in_progress"] = true;
      taken["timestamp"] = std::chrono::floor<std::chrono::seconds>(clock.now()).time_since_epoch().count();
      row = std::move(taken);
    } else {
      row["in_progress"] = false;
    }
    votes.push_back(row);
    if (loses_answers) return {.error = Error{Fault::retry_later, "connection reset"}};
    return says(201, row);
  }
};

}  // namespace outpost::dlrn::test
