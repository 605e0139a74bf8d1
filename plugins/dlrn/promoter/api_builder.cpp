#include "plugins/dlrn/promoter/api_builder.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/config/yaml_tree.hpp"
#include "plugins/dlrn/documents.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>

namespace outpost::promoter {

namespace asio = boost::asio;
using config::Node;

namespace {

constexpr std::size_t text_limit = 4 * 1024 * 1024;

/// A value of commit.yaml; nothing is written there as the word None.
std::string value_at(const Node& commit, std::string_view key) {
  const Node* node = commit.find(key);
  return node && node->text != "None" ? node->text : std::string{};
}

}  // namespace

std::string tree_url(const std::string& tree, const Candidate& candidate, const std::string& label) {
  return candidate.is_aggregate() ? dlrn::url_of_aggregate(tree, label, candidate.aggregate)
                                  : dlrn::url_of(tree, candidate.component, candidate.build);
}

asio::awaitable<Result<std::string>> fetch_text(http::Client& client, std::string url) {
  http::Request request;
  request.url = url;
  request.response_limit = text_limit;
  auto response = co_await client.send(std::move(request));
  if (!response) co_return response.error();
  if (response->status == 200) co_return std::move(response->body);
  const bool absent = response->status == 404 || response->status == 410;
  const bool may_pass = response->status >= 500 || response->status == 429;
  co_return Error{
      may_pass ? Fault::retry_later : Fault::refused,
      url + ": " + (absent ? "it is not there" : "the answer is") + " (" + std::to_string(response->status) + ")"};
}

Result<DatedBuild> parse_commit(std::string_view text, const std::string& name) {
  config::Problems problems;
  const auto parsed = config::parse_yaml(text, name, problems);
  if (!problems.list.empty()) return Error{Fault::malformed, problems.list.front().text()};
  const Node* commits = parsed.root.find("commits");
  if (!commits || commits->items.empty()) return Error{Fault::malformed, name + ": there are no commits in it"};
  const Node& first = commits->items.front();
  DatedBuild build{{value_at(first, "commit_hash"), value_at(first, "distro_hash"), value_at(first, "extended_hash")}};
  const std::string date = value_at(first, "dt_commit");
  const auto read = std::from_chars(date.data(), date.data() + date.size(), build.committed);
  if (!dlrn::is_commit_hash(build.build.commit) || !dlrn::is_commit_hash(build.build.distro) || read.ec != std::errc{})
    return Error{Fault::malformed, name + ": its first commit lacks commit_hash, distro_hash or dt_commit"};
  return build;
}

asio::awaitable<Result<std::vector<dlrn::Promotion>>> ApiBuilder::history(Label label, std::size_t offset) {
  dlrn::PromotionQuery query{.build = std::nullopt,
                             .aggregate = {},
                             .label = std::move(label.name),
                             .component = std::move(label.component),
                             .offset = offset,
                             .limit = page};
  auto rows = co_await api_.promotions(std::move(query));
  if (!rows) co_return dlrn::to_error(rows.error());
  co_return *std::move(rows);
}

asio::awaitable<Result<std::vector<dlrn::Vote>>> ApiBuilder::votes(Candidate candidate) {
  auto asking = candidate.is_aggregate() ? api_.aggregate_votes(candidate.aggregate) : api_.votes(candidate.build);
  auto votes = co_await std::move(asking);
  if (!votes) co_return dlrn::to_error(votes.error());
  co_return *std::move(votes);
}

asio::awaitable<Result<std::vector<dlrn::BuildHash>>> ApiBuilder::members(Candidate candidate, std::string label) {
  if (tree_.empty())
    co_return Error{Fault::refused,
                    "the configuration names no base_url or repo_url, where the builds of an aggregate are found"};
  const std::string repository = tree_url(tree_, candidate, label) + "/delorean.repo";
  const auto text = co_await fetch_text(client_, repository);
  if (!text) co_return text.error();
  if (const std::string sum = md5_hex(*text); sum != candidate.aggregate)
    co_return Error{Fault::refused, repository + " has the MD5 " + sum + ", but it is in the directory of " +
                                        candidate.aggregate + ": it was changed after it was published"};
  const auto parts = dlrn::parse_repo_file(*text, repository);
  if (!parts) co_return parts.error();
  std::vector<DatedBuild> builds;
  for (const auto& part : *parts) {
    const auto place = dlrn::place_in_component(part.baseurl);
    if (!place)
      co_return Error{Fault::refused, repository + ": " + printable(part.baseurl, 300) +
                                          " is not the address of a component's build"};
    const std::string file = tree_ + "/" + place->directory + "/commit.yaml";
    const auto commit = co_await fetch_text(client_, file);
    if (!commit) co_return commit.error();
    auto build = parse_commit(*commit, file);
    if (!build) co_return build.error();
    builds.push_back(*std::move(build));
  }
  std::sort(builds.begin(), builds.end(), [](const auto& left, const auto& right) {
    return std::tie(left.committed, left.build) < std::tie(right.committed, right.build);
  });
  std::vector<dlrn::BuildHash> sorted;
  for (auto& each : builds) sorted.push_back(std::move(each.build));
  co_return sorted;
}

asio::awaitable<Result<void>> ApiBuilder::promote(Candidate candidate, std::string from, std::string to) {
  if (!candidate.is_aggregate()) {
    dlrn::Promote item{candidate.build, to};
    const auto done = co_await api_.promote(std::move(item));
    if (!done) co_return dlrn::to_error(done.error());
    co_return Result<void>{};
  }
  const auto builds = co_await members(candidate, from);
  if (!builds) co_return builds.error();
  std::vector<dlrn::Promote> items;
  for (const auto& build : *builds) items.push_back({build, to});
  const auto done = co_await api_.promote_batch(std::move(items));
  if (!done) co_return dlrn::to_error(done.error());
  co_return Result<void>{};
}

}  // namespace outpost::promoter
