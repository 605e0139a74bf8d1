#include "agent/daemon/spool_keeper.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/job/event_types.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <map>
#include <system_error>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace event = job::event;

namespace {

constexpr std::size_t page = 100;  ///< Rows looked at before others of the loop get their turn.
constexpr std::uint64_t few = 1000;

}  // namespace

asio::awaitable<void> SpoolKeeper::enforce(Limits limits) {
  const auto reporters = ports_.deliveries.reporters();
  if (!reporters) co_return ports_.logger.warning("spool: " + reporters.error().message);
  std::uint64_t all = 0, items = 0;
  for (const auto& reporter : *reporters) {
    const auto backlog = ports_.deliveries.backlog(reporter.name);
    if (!backlog) co_return ports_.logger.warning("spool: " + backlog.error().message);
    all += backlog->waiting_bytes;
    items += backlog->waiting;
  }
  // A long list of small things need not be looked through each time.
  Class logs, artifacts;
  if (all > std::min(limits.logs, limits.artifacts) || items <= few) {
    for (const auto& reporter : *reporters) {
      const auto counted = co_await count(reporter.name, logs, artifacts);
      if (!counted) co_return ports_.logger.warning("spool: " + counted.error().message);
    }
  } else {
    logs.bytes = all;
  }
  co_await shrink(logs, limits.logs, "logs");
  co_await shrink(artifacts, limits.artifacts, "artifacts");
  waiting_.logs = logs.bytes;
  waiting_.artifacts = artifacts.bytes;
}

asio::awaitable<Result<void>> SpoolKeeper::count(const std::string& reporter, Class& logs, Class& artifacts) {
  const auto executor = co_await asio::this_coro::executor;
  journal::Page rows{0, page};
  for (;;) {
    const auto deliveries = ports_.deliveries.open(reporter, rows);
    if (!deliveries) co_return deliveries.error();
    for (const auto& delivery : *deliveries) {
      rows.after = delivery.position;
      if (!delivery.item.blob) continue;
      // What a reporter calls its items is its own business; the event that they are made of is not.
      const auto made_of = ports_.journal.read({.after = delivery.seq - 1, .limit = 1});
      if (!made_of) co_return made_of.error();
      const std::string type = made_of->empty() || made_of->front().seq != delivery.seq ? "" : made_of->front().type;
      Class& group = type == event::artifact_found ? artifacts : logs;
      group.bytes += delivery.item.blob->size;
      if ((type == event::artifact_found || type == event::log_cut || type == event::task_ended) && delivery.state == journal::DeliveryState::pending)
        group.candidates.push_back({reporter, delivery.item.key, delivery.item.job_id, delivery.item.blob->path, delivery.seq, made_of->front().occurred_at, delivery.item.blob->size});
    }
    if (deliveries->size() < page) co_return Result<void>{};
    co_await asio::post(executor, asio::use_awaitable);
  }
}

/// The oldest first: whoever looks at the server sees the end of what happened.
asio::awaitable<void> SpoolKeeper::shrink(Class& waiting, std::uint64_t limit, std::string what) {
  const std::string alarm = "spool:" + what;
  // A little below, so that it is not every line that has to be given up; and the alarm does not come and go.
  const std::uint64_t aim = limit - limit / 20;
  if (waiting.bytes <= limit) {
    if (waiting.bytes <= limit / 2) ports_.alarms.clear(alarm);
    co_return;
  }
  std::sort(waiting.candidates.begin(), waiting.candidates.end(), [](const auto& left, const auto& right) { return left.seq < right.seq; });
  std::map<std::string, std::vector<Candidate>> going;
  std::uint64_t left = waiting.bytes;
  for (auto& candidate : waiting.candidates) {
    if (left <= aim) break;
    left -= std::min(left, candidate.bytes);
    going[candidate.reporter].push_back(std::move(candidate));
  }
  for (auto& [reporter, dropped] : going) {
    std::string reason = "spool-full";
    const auto bytes = co_await drop(reporter, std::move(dropped), what, std::move(reason));
    if (!bytes) co_return ports_.logger.warning("spool: " + bytes.error().message);
    waiting.bytes -= std::min(waiting.bytes, *bytes);
    ports_.logger.warning("spool: " + format_size(*bytes) + " of " + what + " for " + reporter + " are given up, because more than " +
                          format_size(limit) + " waited; gap markers stand for them");
  }
  ports_.alarms.raise(alarm, "data-loss", "more " + what + " wait for servers than spool." + (what == "logs" ? "limit" : "artifacts") + " allows (" + format_size(limit) +
                                        "): the oldest are given up, gap markers stand for them; bring the servers back, or make the limit larger");
}

asio::awaitable<Result<std::uint64_t>> SpoolKeeper::drop(std::string reporter, std::vector<Candidate> dropped, std::string what,
                                                         std::string reason) {
  std::vector<std::string> keys;
  std::uint64_t bytes = 0;
  for (const auto& one : dropped) {
    keys.push_back(one.key);
    bytes += one.bytes;
  }
  job::Event told;
  told.type = event::spool_dropped;
  told.data = {{"reporter", reporter}, {"what", what}, {"items", keys.size()}, {"bytes", bytes}, {"reason", reason}};
  const auto written = co_await ports_.deliveries.drop_bytes(std::move(reporter), std::move(keys), std::move(reason), std::move(told));
  if (!written) co_return written.error();
  waiting_.given_up += bytes;
  if (what == "artifacts") co_await remove_files(std::move(dropped));
  co_return bytes;
}

asio::awaitable<Result<SpoolKeeper::GivenUp>> SpoolKeeper::give_up(std::string reporter, Timestamp before, bool only_look) {
  const auto reporters = ports_.deliveries.reporters();
  if (!reporters) co_return reporters.error();
  GivenUp all;
  bool is_known = reporter.empty();
  for (const auto& each : *reporters) {
    if (!reporter.empty() && each.name != reporter) continue;
    is_known = true;
    Class logs, artifacts;
    const auto counted = co_await count(each.name, logs, artifacts);
    if (!counted) co_return counted.error();
    for (auto* waiting : {&logs, &artifacts}) {
      auto& going = waiting->candidates;
      std::erase_if(going, [&](const Candidate& one) { return one.since > before; });
      if (going.empty()) continue;
      all.items += going.size();
      for (const auto& one : going) all.bytes += one.bytes;
      if (only_look) continue;
      const std::string what = waiting == &logs ? "logs" : "artifacts";
      std::string reason = "given up by an operator";
      const auto bytes = co_await drop(each.name, std::move(going), what, std::move(reason));
      if (!bytes) co_return bytes.error();
      ports_.logger.notice("spool: " + format_size(*bytes) + " of " + what + " for " + each.name + " are given up, because somebody asked for it; gap markers stand for them");
    }
  }
  if (!is_known) co_return Error{Fault::unavailable, "there is no reporter " + printable(reporter, 80)};
  co_return all;
}

/// Those that no other reporter wants. Whoever is sending one has it open.
asio::awaitable<void> SpoolKeeper::remove_files(std::vector<Candidate> dropped) {
  std::vector<std::filesystem::path> files;
  for (const auto& one : dropped)
    if (!is_wanted(one)) files.push_back(jobs_directory_ / one.job_id / one.path);
  auto removal = [files = std::move(files)] {
    std::error_code error;
    std::size_t removed = 0;
    for (const auto& file : files) removed += std::filesystem::remove(file, error) ? 1U : 0U;
    return removed;
  };
  co_await ports_.workers.run(std::move(removal));
}

bool SpoolKeeper::is_wanted(const Candidate& dropped) {
  const auto reporters = ports_.deliveries.reporters();
  if (!reporters) return true;
  for (const auto& reporter : *reporters) {
    const auto items = ports_.deliveries.of_job(reporter.name, dropped.job_id);
    if (!items) return true;
    for (const auto& other : *items) {
      const bool is_open = other.state == journal::DeliveryState::pending || other.state == journal::DeliveryState::attempting;
      if (is_open && other.item.blob && other.item.blob->path == dropped.path) return true;
    }
  }
  return false;
}

}  // namespace outpost::daemon
