#pragma once

#include "agent/base/result.hpp"
#include "agent/http/server.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::control {

/// An archive of what waits for one server, on its way out.
struct SpoolStream {
  boost::json::object summary;  ///< The manifest, and `unclaimed`: jobs that no server knows yet.
  http::Producer archive;
};
/// The header that carries the summary.
inline constexpr std::string_view spool_header = "Outpost-Spool";

/// What a pause is about: one source, one resource, or with neither everything.
struct Scope {
  std::string source, resource;
};

/// A change that somebody has asked for.
struct Asked {
  std::string who;    ///< "uid 0" on the socket and on the system bus, "page" on TCP.
  std::string what;   ///< "jobs/*/cancel": the path below /api/v1/; "org.outpost.Agent1.CancelJob": a method on the bus.
  std::string about;  ///< What stands for its star; "".
};

/// What shall go of what is kept for servers.
struct Pruning {
  /// Logs and artifacts that wait and have not been tried, instead of jobs of which all is delivered.
  bool waiting = false;
  std::string reporter;                  ///< Only what waits for this one; empty: for any.
  std::chrono::milliseconds older_than{};  ///< Since the job has ended, or the item waits.
  bool dry_run = false;                  ///< Only say what would go.
};

/// What an admin can see and do. The daemon implements it; the local API and the system bus, and later the page, speak to it.
class AgentControl {
 public:
  virtual ~AgentControl() = default;

  /// {version, state, state_reason, since, runner, slots{}, sources[], jobs{running[], waiting[]}, reporters[], resources{},
  /// alarms[]}. agent/control/README.md describes it field by field.
  virtual boost::json::object status() = 0;
  /// The newest jobs first: {job_id, name, state, verdict, reason, queued_at, ended_at, external_ref...}.
  virtual Result<boost::json::array> jobs(std::size_t limit) = 0;
  /// One job with its stages, steps, results and warnings. unavailable: no such job.
  virtual Result<boost::json::object> job(const std::string& job_id) = 0;
  /// Cancels a running or waiting job. unavailable: no such job; refused: it has ended.
  virtual Result<void> cancel(const std::string& job_id, const std::string& reason) = 0;
  /// Queues a job of the configuration with the newest components, whether or not they have been run; its id.
  /// unavailable: no such job, or nothing matches it; retry_later, credentials: its source does not say.
  virtual boost::asio::awaitable<Result<std::string>> run_job(std::string name) = 0;
  /// Queues a job that has ended once more, with the same components and the configuration of today; the new id.
  /// unavailable: no such job; refused: it has not ended, or is no longer configured.
  virtual boost::asio::awaitable<Result<std::string>> retry_job(std::string job_id) = 0;
  /// Keeps a job that waits from being claimed, until it is released; also after a restart. refused: it does not wait.
  virtual boost::asio::awaitable<Result<void>> hold_job(std::string job_id, std::string reason) = 0;
  virtual boost::asio::awaitable<Result<void>> release_job(std::string job_id) = 0;
  /// Notes who has asked for a change that was made.
  virtual boost::asio::awaitable<void> note_asked(Asked asked) = 0;
  /// Polls all sources now.
  virtual void poll_now() = 0;

  /// Whether jobs are claimed: {state, since, reason, running, paused[]}.
  virtual boost::json::object claims() = 0;
  /// Claims nothing of it until it is resumed, also after a restart; what runs goes on. Answers as claims().
  /// unavailable: there is no such source or resource.
  virtual boost::asio::awaitable<Result<boost::json::object>> pause(Scope scope, std::string reason) = 0;
  /// Ends a pause; that of everything also a drain, and with `all` every pause there is. refused: there is nothing to
  /// end.
  virtual boost::asio::awaitable<Result<boost::json::object>> resume(Scope scope, bool all) = 0;
  /// Claims nothing more until the agent ends or everything is resumed; what runs goes on to its end.
  virtual boost::asio::awaitable<Result<boost::json::object>> drain(std::string reason) = 0;
  /// Reads the configuration again and goes on with it: {changed[], needs_restart[]}. malformed: it is wrong, a line for
  /// each problem, and the old one stays in force.
  virtual boost::asio::awaitable<Result<boost::json::object>> reload() = 0;
  /// Begins to export what waits for this reporter, or with "" for the only one that has something waiting. malformed:
  /// it must be named; unavailable: no such reporter; refused: nothing waits.
  virtual boost::asio::awaitable<Result<SpoolStream>> export_spool(std::string reporter) = 0;
  /// Settles what an import elsewhere has delivered; the body of the request is its receipt. {reporter, settled,
  /// others}. refused, malformed: nothing was settled.
  virtual boost::asio::awaitable<Result<boost::json::object>> confirm_spool(http::ServerRequest& receipt) = 0;
  /// What waits for which server: {waiting, limit, artifacts_waiting, artifacts_limit, given_up, reporters[]}.
  virtual Result<boost::json::object> spool() = 0;
  /// Tries what waits for this reporter now, or with "" what waits for any: [{name, waiting}]. unavailable: no such
  /// reporter.
  virtual Result<boost::json::array> flush_spool(const std::string& reporter) = 0;
  /// Frees the room of what servers have, or of what waits; what it did, or would do. As the wish says: unavailable: no
  /// such reporter.
  virtual boost::asio::awaitable<Result<boost::json::object>> prune_spool(Pruning wanted) = 0;
  /// All reporters that the journal knows or the configuration names, by name: {name, configured, waiting, waiting_bytes,
  /// parked, delivered, events_behind}.
  virtual Result<boost::json::array> reporters() = 0;
  /// Drops what a reporter that is no longer configured has not been told, so that nothing is kept for it: {reporter,
  /// dropped, dropped_bytes, parked}. unavailable: nobody knows it. refused: it is configured, or something waits and
  /// `drop_waiting` is not set.
  virtual boost::asio::awaitable<Result<boost::json::object>> forget_reporter(std::string name, bool drop_waiting) = 0;
  /// Not shown and not told again until its cause has gone and come back. unavailable: no such alarm.
  virtual Result<void> acknowledge(const std::string& alarm) = 0;
  /// The items that a reporter has set aside: {key, job_id, kind, reason, attempts, bytes}. unavailable: no such reporter.
  virtual Result<boost::json::array> parked(const std::string& reporter) = 0;
  /// Sends parked items again, all or those of the keys with what depends on them; how many. unavailable: no such
  /// reporter or item.
  virtual boost::asio::awaitable<Result<std::size_t>> retry(std::string reporter, std::vector<std::string> keys) = 0;
};

}  // namespace outpost::control
