#pragma once

#include "agent/base/clock.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outpost::sample_builder {

struct Build {
  std::string commit, distro, extended, component, project;  ///< extended and component may be empty.
  std::string status = "SUCCESS";                            ///< SUCCESS | FAILED | RETRY; empty: its row was deleted.
  std::int64_t built_at = 0;

  [[nodiscard]] std::string directory_name() const;  ///< With the extended part.
  [[nodiscard]] std::string repo_hash() const;       ///< Without: so the original answers.
};

struct Vote {
  std::optional<std::size_t> build;  ///< Index of the build; none: of the aggregate.
  std::string aggregate, job_id, url;
  std::optional<std::string> notes, user;
  bool success = false, in_progress = false;
  std::int64_t timestamp = 0;
};

struct Promotion {
  std::size_t build = 0;
  std::string label, user;
  std::optional<std::string> aggregate;
  std::int64_t timestamp = 0;
};

/// Why something is not done: the status that the original answers and what it says. 500 has a page and no words.
struct Refusal {
  int status = 400;
  std::string message;
};

/// A package builder: what it has built, the web tree of it on disk, what was voted and promoted. No packages are built:
/// somebody says what was.
class Builder {
 public:
  struct Options {
    std::filesystem::path tree;  ///< The root of the web tree; made if need be.
    std::string tree_url;        ///< How others reach it: the addresses in repository files.
    bool components = true;      ///< Packages belong to components; otherwise all are one set.
  };

  explicit Builder(Options options);
  void set_tree_url(std::string url) { options_.tree_url = std::move(url); }
  [[nodiscard]] const std::string& tree_url() const { return options_.tree_url; }

  /// Adds a build, with its directory unless `purged`. A successful one becomes `current`. Throws Refusal.
  std::size_t add(Build build, bool purged = false);
  /// What the builder does when every package of the (component's) set is built: moves `consistent`, and votes for it.
  void set_consistent(std::size_t build);
  /// Removes the directory of a build, as the purge of old ones does.
  void purge(std::size_t build);
  /// Another builder has this build at `url`: from now on it can be imported.
  void know_remote(std::string url, std::optional<Build> build);
  /// Takes a build of another builder over: `current` moves, `consistent` never does. Nothing happens when a newer build of
  /// the package is here. Throws Refusal for an address at which nothing was said to be.
  void import(const std::string& url);
  /// Has a failed build of a package made again: its row goes. Throws Refusal.
  void recheck(const std::string& package);

  /// The newest successful build with these hashes; an empty `extended` matches any.
  [[nodiscard]] std::optional<std::size_t> find(const std::string& commit, const std::string& distro,
                                                const std::string& extended) const;
  [[nodiscard]] bool knows_aggregate(const std::string& hash) const;

  /// Throws the Refusal of a build that was purged, and of a label that leads elsewhere.
  void check_promotion(const Promotion& wanted) const;
  /// Moves a label for all of them, or for none; they were checked. Throws Refusal. The answer's rows are in the history,
  /// too.
  std::vector<Promotion> promote(const std::vector<Promotion>& wanted);
  /// Puts a row into the history that is older than this builder.
  void remember(Promotion promotion) { promotions_.push_back(std::move(promotion)); }

  [[nodiscard]] const std::vector<Build>& builds() const { return builds_; }
  [[nodiscard]] const std::vector<Vote>& votes() const { return votes_; }
  [[nodiscard]] const std::vector<Promotion>& promotions() const { return promotions_; }
  std::size_t vote(Vote vote);
  [[nodiscard]] std::string url_of(const Build& build) const;
  [[nodiscard]] std::filesystem::path directory_of(const Build& build) const;

  /// Tests turn it.
  std::function<std::int64_t()> now;

 private:
  [[nodiscard]] std::filesystem::path relative(const Build& build) const;
  void write_files(const Build& build) const;
  /// The directory of the labels of a build's set.
  [[nodiscard]] std::filesystem::path set_of(const Build& build) const;
  void move_link(const Build& build, const std::string& label) const;
  /// Writes a label's aggregate and returns its hash.
  std::string write_aggregate(const std::string& label);

  Options options_;
  std::vector<Build> builds_;
  std::vector<Vote> votes_;
  std::vector<Promotion> promotions_;
  std::map<std::string, std::optional<Build>> remotes_;  ///< By address.
};

}  // namespace outpost::sample_builder
