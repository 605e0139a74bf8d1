#include "agent/pipeline/step_log.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event_types.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace outpost::pipeline {

namespace asio = boost::asio;

StepLog::StepLog(JobRecord& record, Workers& workers, Names names, log::Capture capture, log::CutPlan::Limits limits)
    : record_{record}, workers_{workers}, names_{std::move(names)}, capture_{std::move(capture)}, plan_{limits} {}

asio::awaitable<void> StepLog::cut_regularly(asio::steady_timer& timer) {
  while (!stopped_) {
    const auto due = plan_.next();
    if (!due) co_return;
    timer.expires_after(*due);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (stopped_) co_return;
    if (co_await cut(false)) {
      plan_.piece_made();
      co_await record_.commit();
    }
  }
}

void StepLog::stop(asio::steady_timer& timer) {
  stopped_ = true;
  timer.cancel();
}

asio::awaitable<void> StepLog::cut_last() { co_await cut(true); }

/// Notes the piece that is there, if any, and the gaps in it.
asio::awaitable<bool> StepLog::cut(bool last) {
  const boost::json::object common{{"stage", to_string(names_.stage)}, {"plugin", names_.plugin}, {"hook", names_.hook}};
  auto piece = co_await capture_.cut(workers_, last);
  for (const auto& gap : capture_.take_gaps()) {
    boost::json::object data = common;
    data["offset"] = gap.offset;
    data["bytes"] = gap.bytes;
    data["reason"] = gap.reason;
    record_.note(job::event::log_gap, std::move(data)).step_id = names_.step_id;
  }
  if (!piece) {
    // The bytes stay in the file; the next cut takes them along.
    if (last) record_.note(job::event::job_warning, {{"stage", to_string(names_.stage)}, {"message", names_.step_id + ": the end of the log could not be synced: " + printable(piece.error().message)}});
    co_return false;
  }
  if (!*piece) co_return false;
  boost::json::object data = common;
  data["last"] = (*piece)->last;
  auto& noted = record_.note(job::event::log_cut, std::move(data));
  noted.step_id = names_.step_id;
  noted.blobs.push_back((*piece)->blob);
  co_return true;
}

}  // namespace outpost::pipeline
