#pragma once

#include "agent/base/clock.hpp"
#include "agent/http/client.hpp"
#include "plugins/dlrn/answer.hpp"
#include "plugins/dlrn/authorization.hpp"
#include "plugins/dlrn/build_hash.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outpost::dlrn {

/// What a job said of a build, or of an aggregate. Votes are never changed: the newest of a job is what counts, and a row
/// that is in progress stays beside the final one.
struct Vote {
  std::string job_id;         ///< "consistent" is the builder's own, without a user.
  BuildHash build;            ///< Empty hashes on an aggregate.
  std::string aggregate;      ///< Empty on a build.
  std::string component;      ///< Empty on a builder without components.
  bool success = false;
  bool in_progress = false;
  std::chrono::sys_seconds timestamp{};  ///< As the reporter gave it.
  std::string url, notes, user;          ///< Url and notes are not in an answer of last_tested().
};

/// One row of the history of a label; a label's value is its newest row.
struct Promotion {
  BuildHash build;
  std::string label;
  std::string component;
  /// Of a batch only the row of its last item has it: whoever follows an integration label drops rows without.
  std::string aggregate;
  std::string repo_url;  ///< Of the build; use this, never `repo_hash`.
  std::string repo_hash;
  std::string user;
  std::chrono::sys_seconds timestamp{};
};

/// A vote to be written: on exactly one of a build and an aggregate.
struct Report {
  std::string job_id;
  BuildHash build;
  std::string aggregate;
  bool success = false;
  std::string url;  ///< Of the logs.
  std::string notes;
  std::chrono::sys_seconds timestamp{};  ///< When the job ended.
};

struct PromotionQuery {
  std::optional<BuildHash> build;
  std::string aggregate, label, component;  ///< Empty: any.
  std::size_t offset = 0;
  std::size_t limit = 100;  ///< The server cuts more than 100.
};

/// Of last_tested() and claim_tested(). Without `sequential` the server falls back on votes of any job and component.
struct TestedQuery {
  std::chrono::hours max_age{0};  ///< 0: as old as it likes.
  std::optional<bool> success;
  std::string job_id;
  std::string previous_job_id;
  std::string component;
  bool sequential = false;
};

/// One item of a promotion.
struct Promote {
  BuildHash build;
  std::string label;
};

/// Speaks to the API of one builder (`<base>/api/...`). Every call is one request; nothing is repeated here.
class Api {
 public:
  struct Options {
    std::string base;  ///< "https://trunk.example.org/api-centos9", without a slash at its end.
    std::shared_ptr<Authorization> authorization;  ///< nullptr: only reads, and only where these are open.
    bool protected_reads = false;                  ///< Says who we are in reads too.
    std::chrono::milliseconds idle_timeout = std::chrono::seconds{60};
  };

  /// malformed: the base is not "http[s]://host[:port][/prefix]". Client and clock outlive the result.
  static Result<Api> make(http::Client& client, const Clock& clock, Options options);

  /// What the builder says of itself, without credentials.
  boost::asio::awaitable<Answer<std::string>> health() const;
  /// The same with credentials, which an open read would ignore.
  boost::asio::awaitable<Answer<std::string>> check_credentials() const;

  /// All votes on a build, in the order in which they came. refused: no such build that succeeded.
  boost::asio::awaitable<Answer<std::vector<Vote>>> votes(BuildHash build) const;
  /// All votes on an aggregate; none for one that does not exist.
  boost::asio::awaitable<Answer<std::vector<Vote>>> aggregate_votes(std::string aggregate) const;
  /// The build with the newest vote of that kind. refused: there is none.
  boost::asio::awaitable<Answer<Vote>> last_tested(TestedQuery query) const;
  /// Takes that build for `reporting_job`: a vote in progress is written.
  boost::asio::awaitable<Answer<Vote>> claim_tested(TestedQuery query, std::string reporting_job) const;
  /// Writes a vote; every call writes another.
  boost::asio::awaitable<Answer<Vote>> report(Report report) const;

  /// Newest first. Never for the labels `current` and `consistent`, which have no history.
  boost::asio::awaitable<Answer<std::vector<Promotion>>> promotions(PromotionQuery query) const;
  /// Names of components that ever had a promotion.
  boost::asio::awaitable<Answer<std::vector<std::string>>> components() const;
  /// Moves a label; every call writes another row. forbidden: not this label. gone: the build was purged. An uncertain
  /// 500 also comes when two move one label at once.
  boost::asio::awaitable<Answer<Promotion>> promote(Promote item) const;
  /// Moves all or none. The answer is the row of the last item, with the aggregate's hash. refused without a request: no
  /// items, which the server would answer with a 500. It may take minutes.
  boost::asio::awaitable<Answer<Promotion>> promote_batch(std::vector<Promote> items) const;

  [[nodiscard]] const std::string& base() const { return options_.base; }
  [[nodiscard]] bool may_write() const { return options_.authorization != nullptr; }
  [[nodiscard]] std::string user() const;

 private:
  using Query = std::vector<std::pair<std::string, std::string>>;

  Api(http::Client& client, const Clock& clock, Options options)
      : client_{&client}, clock_{&clock}, options_{std::move(options)} {}

  boost::asio::awaitable<Answer<boost::json::value>> get(std::string path, Query query) const;
  boost::asio::awaitable<Answer<boost::json::value>> post(std::string path, boost::json::value body,
                                                          bool changes = true) const;
  boost::asio::awaitable<Answer<boost::json::value>> send(http::Request request, Asked asked, bool with_user) const;

  http::Client* client_;
  const Clock* clock_;
  Options options_;
};

}  // namespace outpost::dlrn
