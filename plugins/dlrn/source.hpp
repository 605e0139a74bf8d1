#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/workers.hpp"
#include "agent/files/downloader.hpp"
#include "agent/pipeline/source.hpp"
#include "plugins/dlrn/api.hpp"
#include "plugins/dlrn/documents.hpp"
#include "plugins/dlrn/selection.hpp"
#include "plugins/dlrn/tree.hpp"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace outpost::dlrn {

struct SourceSettings {
  std::string name;         ///< The instance: Claim::source.
  bool in_progress = true;  ///< Takes a build that came by `tested` with a vote in progress.
  files::DownloadOptions download;
  std::function<void(const std::string&)> warn;  ///< What should be looked at but stops nothing; each said once.
};

/// What a component of this source holds in its `data`.
namespace data {
inline constexpr std::string_view kind = "kind";  ///< "build" | "aggregate"
inline constexpr std::string_view label = "label";
inline constexpr std::string_view component = "component";
inline constexpr std::string_view commit = "commit_hash";
inline constexpr std::string_view distro = "distro_hash";
inline constexpr std::string_view extended = "extended_hash";
inline constexpr std::string_view aggregate = "aggregate_hash";
}  // namespace data

/// Which build a component of a job is, or which aggregate.
[[nodiscard]] BuildHash build_of(const job::Component& component);
[[nodiscard]] std::string aggregate_of(const job::Component& component);

/// Offers the hashes of a package builder. A builder has no jobs: to claim one is to remember it, and where the builder
/// can be told, a vote in progress.
class DlrnSource final : public pipeline::Source {
 public:
  /// Client, workers and clock outlive it.
  DlrnSource(Api api, Tree tree, http::Client& client, Workers& workers, const Clock& clock, SourceSettings settings);
  DlrnSource(const DlrnSource&) = delete;
  DlrnSource& operator=(const DlrnSource&) = delete;

  [[nodiscard]] std::string_view name() const override { return settings_.name; }
  Result<void> check(const job::Definition& definition) const override;
  boost::asio::awaitable<Result<std::vector<pipeline::Candidates>>> poll(const job::Definition& definition,
                                                                         std::size_t depth) override;
  boost::asio::awaitable<Result<pipeline::Claimed>> claim(const pipeline::ClaimRequest& request) override;
  /// The votes in progress of an earlier claim(), when all of them arrived.
  boost::asio::awaitable<Result<std::optional<pipeline::Claimed>>> find(const pipeline::ClaimRequest& request) override;
  /// Nobody can cancel a job at a builder.
  boost::asio::awaitable<Result<pipeline::Watched>> watch(const job::Claim& claim) override;
  boost::asio::awaitable<Result<void>> fetch(const pipeline::FetchRequest& request, pipeline::Report report) override;

 private:
  using Components = std::vector<job::Component>;

  /// What a label was when it was last looked at.
  struct Seen {
    std::string body;  ///< Of the file that says it, or of the newest row.
    std::size_t depth = 0;
    Components components;
  };

  boost::asio::awaitable<Result<Components>> labelled(Selection selection, std::size_t depth);
  boost::asio::awaitable<Result<Components>> promoted(Selection selection, std::size_t depth);
  boost::asio::awaitable<Result<Components>> tested(Selection selection);
  /// What is promoted now, if the one job has succeeded on it and the other has neither voted nor begun.
  boost::asio::awaitable<Result<Components>> promoted_after(Selection selection, std::string job);
  boost::asio::awaitable<Result<std::vector<Vote>>> votes_on(job::Component component) const;
  /// Whether the vote's job has said otherwise of the build since.
  boost::asio::awaitable<Result<bool>> is_outdated(Vote vote) const;
  /// The newest `depth` different hashes in the history of a label.
  boost::asio::awaitable<Result<Components>> history(Selection selection, std::size_t depth) const;
  [[nodiscard]] Error nothing_at(const std::string& place, bool was_there) const;
  [[nodiscard]] job::Component component_of(const Selection& selection, const BuildHash& build, const std::string& of,
                                            std::chrono::sys_seconds when) const;
  [[nodiscard]] job::Component component_of(const Selection& selection, const std::string& aggregate,
                                            std::chrono::sys_seconds when) const;

  /// Whether this claim's vote in progress is at the builder.
  boost::asio::awaitable<Result<bool>> is_taken(const pipeline::ClaimRequest& request, job::Component component) const;
  boost::asio::awaitable<Result<void>> take(const pipeline::ClaimRequest& request, job::Component component);
  [[nodiscard]] bool is_to_be_taken(const job::Component& component) const;
  [[nodiscard]] pipeline::Claimed claimed(const pipeline::ClaimRequest& request) const;

  void warn_once(const std::string& message);

  Api api_;
  Tree tree_;
  http::Client& client_;
  Workers& workers_;
  const Clock& clock_;
  SourceSettings settings_;
  std::map<std::string, Seen> seen_;  ///< By the path of the file, or what rows were asked for.
  std::set<std::string> warned_;
};

}  // namespace outpost::dlrn
