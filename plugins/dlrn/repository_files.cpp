#include "plugins/dlrn/repository_files.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/config/small_file.hpp"
#include "agent/files/safe_path.hpp"
#include "agent/http/url.hpp"
#include "plugins/dlrn/documents.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace outpost::dlrn {
namespace {

namespace fs = std::filesystem;
using boost::asio::awaitable;

constexpr std::uint64_t largest = 16 * 1024 * 1024;  ///< Of each file.

/// The last steps of an address, decoded.
std::vector<std::string> last_steps(std::string address, std::ptrdiff_t count) {
  while (address.ends_with('/')) address.pop_back();
  const auto parts = split(address, '/');
  std::vector<std::string> steps(parts.end() - std::min(count, std::ssize(parts)), parts.end());
  for (auto& step : steps) step = percent_decode(step);
  return steps;
}

/// The builder may call itself by another name than we do; what counts is which directory is meant.
bool leads_to(const std::string& baseurl, const std::string& url) { return last_steps(baseurl, 3) == last_steps(url, 3); }

}  // namespace

awaitable<Result<bool>> RepositoryFiles::bring(std::string url, fs::path target) {
  auto status = std::make_shared<int>(0);
  files::DownloadRequest request;
  request.open = [url]() -> awaitable<Result<http::Request>> {
    http::Request one;
    one.url = url;
    co_return one;
  };
  request.classify = [status, url](const http::Response& answer) {
    *status = answer.status;
    const bool later = answer.status >= 500 || answer.status == 408 || answer.status == 429;
    return Error{later ? Fault::retry_later : Fault::refused, "GET " + printable(url, 300) + ": " + std::to_string(answer.status)};
  };
  request.target = std::move(target);
  request.limit = largest;
  request.allow_local_redirects = false;
  request.retrying = [this, url](const files::Retry& retry) { stalls_.waits(url, retry); };
  const auto brought = co_await downloader_.download(std::move(request));
  stalls_.goes_on(url);
  if (!brought && *status == 404) co_return false;
  if (!brought) co_return brought.error();
  co_return true;
}

awaitable<Result<std::string>> RepositoryFiles::content(fs::path path) {
  auto read = [path = std::move(path)] { return config::read_small_file(path, largest); };
  co_return co_await workers_.run(std::move(read));
}

awaitable<Result<void>> RepositoryFiles::check_build(Wanted wanted) {
  fs::path repo = wanted.directory / "delorean.repo", yaml = wanted.directory / "commit.yaml";
  const auto repositories_text = co_await content(std::move(repo));
  if (!repositories_text) co_return repositories_text.error();
  const auto repositories = parse_repo_file(*repositories_text, "delorean.repo");
  if (!repositories) co_return repositories.error();
  const bool meant = std::any_of(repositories->begin(), repositories->end(),
                                 [&](const auto& one) { return leads_to(one.baseurl, wanted.component.url); });
  if (!meant)
    co_return Error{Fault::refused, "delorean.repo leads to " + printable(repositories->front().baseurl, 300) + ", not to " + wanted.component.url};
  const auto commits_text = co_await content(std::move(yaml));
  if (!commits_text) co_return commits_text.error();
  const auto commits = parse_commit_yaml(*commits_text, "commit.yaml");
  if (!commits) co_return commits.error();
  if (std::none_of(commits->begin(), commits->end(), [&](const auto& one) { return one.build == wanted.build; }))
    co_return Error{Fault::refused, "commit.yaml names " + to_string(commits->front().build) + ", not " + to_string(wanted.build)};
  co_return Result<void>{};
}

awaitable<Result<void>> RepositoryFiles::check_aggregate(Wanted wanted) {
  fs::path repo = wanted.directory / "delorean.repo";
  const auto text = co_await content(std::move(repo));
  if (!text) co_return text.error();
  if (const std::string sum = md5_hex(*text); sum != wanted.aggregate)
    co_return Error{Fault::refused, "delorean.repo has the MD5 " + sum + ", but it is in the directory of " + wanted.aggregate +
                                        ": the repository was changed after it was published, or the transfer was; nothing of it is tested"};
  co_return Result<void>{};
}

awaitable<Result<void>> RepositoryFiles::bring_commits(Wanted wanted, pipeline::Report report) {
  fs::path repo = wanted.directory / "delorean.repo";
  const auto text = co_await content(std::move(repo));
  if (!text) co_return text.error();
  const auto repositories = parse_repo_file(*text, "delorean.repo");
  if (!repositories) co_return repositories.error();
  for (const auto& one : *repositories) {
    const auto place = place_in_component(one.baseurl);
    if (!place) {
      report(printable(one.id, 100) + ": its address " + printable(one.baseurl, 300) + " is not that of a component's build: its commit.yaml is not read");
      continue;
    }
    auto target = files::prepare_inside(wanted.directory, "components/" + place->component + "/commit.yaml");
    if (!target) co_return target.error();
    const std::string address = tree_.url() + '/' + place->directory;
    std::string url = address + "/commit.yaml";
    fs::path path = std::move(*target);
    const auto brought = co_await bring(std::move(url), std::move(path));
    if (!brought) co_return brought.error();
    if (!*brought) report(printable(one.id, 100) + ": no commit.yaml at " + printable(address, 300) + ": it was purged");
  }
  co_return Result<void>{};
}

awaitable<Result<void>> RepositoryFiles::fetch(Wanted wanted, pipeline::Report report) {
  std::error_code failed;
  fs::create_directories(wanted.directory, failed);
  if (failed) co_return errno_error("creating the directory", wanted.directory.string(), failed.value());
  const bool is_aggregate = !wanted.aggregate.empty();
  for (const std::string name : {"delorean.repo", "commit.yaml", "versions.csv"}) {
    if (is_aggregate && name == "commit.yaml") continue;
    std::string url = wanted.component.url + '/' + name;
    fs::path target = wanted.directory / name;
    const auto brought = co_await bring(std::move(url), std::move(target));
    if (!brought) co_return brought.error();
    if (*brought) continue;
    if (name != "versions.csv")
      co_return Error{Fault::refused, wanted.component.url + '/' + name + ": 404: the builder has purged this hash"};
    report("no versions.csv at " + wanted.component.url);
  }
  Wanted same = wanted;
  auto checked = is_aggregate ? check_aggregate(std::move(same)) : check_build(std::move(same));
  const auto good = co_await std::move(checked);
  if (!good) co_return good.error();
  report(printable(wanted.component.name, 200) + ": " + wanted.component.url + ", checked");
  if (!is_aggregate) co_return Result<void>{};
  auto brought = co_await bring_commits(std::move(wanted), std::move(report));
  co_return brought;
}

}  // namespace outpost::dlrn
