#pragma once

#include "agent/base/result.hpp"
#include "agent/job/job.hpp"
#include "agent/job/event.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outpost::pipeline {

/// What one selection of a definition matches now, best first: the first is the one to run, the others are older (or
/// less preferred) ones.
struct Candidates {
  std::string selection;
  std::vector<job::Component> components;
  std::string problem;  ///< Why nothing will ever match it as it is written, and what may be meant; "" when it may.
};

struct ClaimRequest {
  std::string claim_id;  ///< Ours; the source marks the job with it, so that it can be found after an uncertain answer.
  job::Job job;
};

struct Claimed {
  job::Claim claim;  ///< external_ref: what the source calls the job.
  std::string url;   ///< Where a person can look at it; may be empty.
  boost::json::object document;  ///< The job as the source describes it, for hooks: an allow-list, no secrets.
};

struct Watched {
  bool cancelled = false;
  std::string reason;  ///< For people: "set to killed at the control server".
};

/// One line about what is being done, for the log of the download step.
using Report = std::function<void(std::string_view line)>;

/// What a download waits for before it tries again: "downloading a.tar: attempt 3, next in 20.0s: connection refused", new
/// or, when another one goes on meanwhile, still; and "" when all go on.
using Stalled = std::function<void(std::string_view why, bool is_new)>;

struct FetchRequest {
  job::Job job;
  job::Claim claim;
  /// Where each component's files go, by component id. Archives among them (*.tar, .tar.gz, .tgz, .tar.xz, .tar.zst) are
  /// unpacked beside them into "unpacked/", unless the definition's options say {"unpack": false}.
  std::map<std::string, std::filesystem::path> directories;
  Stalled stalled = {};  ///< May be empty.
};

/// Offers work: one configured instance of a control server. Errors of all calls: retry_later (network, 5xx), credentials
/// (it does not accept who we are, or our clock: an alarm, and few tries), refused (permission, a topic that is not
/// there: nothing that other definitions have to suffer from), malformed (an answer nobody can read, a wrong selection).
class Source {
 public:
  virtual ~Source() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;

  /// Checks what it can without a server: the selections and options of a definition.
  virtual Result<void> check(const job::Definition& definition) const = 0;

  /// What the selections of a definition match now, in their order, at most `depth` (>= 1) of each.
  virtual boost::asio::awaitable<Result<std::vector<Candidates>>> poll(const job::Definition& definition, std::size_t depth) = 0;

  /// Takes the job. The caller has journaled the claim id before. After retry_later the claim may or may not exist: ask
  /// find() before claiming again.
  virtual boost::asio::awaitable<Result<Claimed>> claim(const ClaimRequest& request) = 0;

  /// The job that an earlier claim() with this id made, completed if it was left half made; nothing if there is none.
  virtual boost::asio::awaitable<Result<std::optional<Claimed>>> find(const ClaimRequest& request) = 0;

  /// After `credentials`: whether to ask again before the usual pause is over, for instance because they were replaced.
  virtual boost::asio::awaitable<bool> is_worth_asking() { co_return false; }

  /// Whether somebody cancelled the job at the server.
  virtual boost::asio::awaitable<Result<Watched>> watch(const job::Claim& claim) = 0;

  /// Downloads (and unpacks) the components of a job; nothing is ever written outside their directories. Goes on with
  /// what an interrupted call left there. Cancellable.
  virtual boost::asio::awaitable<Result<void>> fetch(const FetchRequest& request, Report report) = 0;
};

}  // namespace outpost::pipeline
