#include "agent/daemon/retention.hpp"

#include "agent/base/ids.hpp"
#include "agent/base/units.hpp"
#include "agent/job/event_types.hpp"

#include <boost/json/array.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <limits>
#include <system_error>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace json = boost::json;
namespace event = job::event;

namespace {

constexpr std::size_t at_once = 20;  ///< Jobs in one transaction: others want to write, too.

/// What the files of a directory take on the disk.
std::uint64_t disk_usage(const fs::path& directory) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry{directory, fs::directory_options::skip_permission_denied, error}, end; !error && entry != end;
       entry.increment(error)) {
    struct stat status{};
    if (::lstat(entry->path().c_str(), &status) == 0) bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  return bytes;
}

Timestamp changed_at(const fs::path& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return {};
  return Timestamp{std::chrono::seconds{status.st_mtim.tv_sec}};
}

job::Event tombstone(const std::vector<std::string>& jobs, const std::vector<std::string>& directories, std::uint64_t bytes) {
  job::Event event;
  event.type = event::history_removed;
  event.data = {{"jobs", json::array(jobs.begin(), jobs.end())}, {"directories", json::array(directories.begin(), directories.end())}, {"bytes", bytes}};
  return event;
}

}  // namespace

asio::awaitable<void> Retention::sweep() {
  const auto rows = ports_.journal.jobs(false, std::numeric_limits<std::int32_t>::max());
  if (!rows) co_return ports_.logger.warning("old jobs: " + rows.error().message);
  directories_ = co_await look(*rows);
  auto going = what_may_go(*rows, keep_);
  if (!going) co_return ports_.logger.warning("old jobs: " + going.error().message);
  co_await remove_in_turn(std::move(*going));
  std::set<std::string> known;
  for (const auto& row : *rows) known.insert(row.job_id);
  co_await remove_strays(std::move(known));
  co_await remove_old_events();
}

asio::awaitable<void> Retention::remove_in_turn(std::vector<std::string> ids) {
  for (std::size_t begin = 0; begin < ids.size(); begin += at_once) {
    const auto first = ids.begin() + static_cast<std::ptrdiff_t>(begin);
    std::vector<std::string> some{first, first + static_cast<std::ptrdiff_t>(std::min(at_once, ids.size() - begin))};
    co_await remove_jobs(std::move(some));
  }
}

asio::awaitable<Result<Retention::Pruned>> Retention::prune(Timestamp before, bool only_look) {
  const auto rows = ports_.journal.jobs(false, std::numeric_limits<std::int32_t>::max());
  if (!rows) co_return rows.error();
  directories_ = co_await look(*rows);
  std::vector<std::string> going;
  for (auto row = rows->rbegin(); row != rows->rend(); ++row) {
    if (!row->ended) continue;
    const auto ended = end_of(*row);
    if (!ended) co_return ended.error();
    if (!*ended || **ended >= before) continue;
    const auto delivered = is_settled(*row, Parked::open);
    if (!delivered) co_return delivered.error();
    if (*delivered) going.push_back(row->job_id);
  }
  const Pruned pruned{going.size(), bytes_of(going)};
  if (!only_look) co_await remove_in_turn(std::move(going));
  co_return pruned;
}

asio::awaitable<void> Retention::make_room(std::uint64_t bytes) {
  const auto rows = ports_.journal.jobs(false, std::numeric_limits<std::int32_t>::max());
  if (!rows) co_return ports_.logger.warning("old jobs: " + rows.error().message);
  directories_ = co_await look(*rows);
  config::History none = keep_;
  none.jobs = 0;
  const auto going = what_may_go(*rows, none);
  if (!going) co_return ports_.logger.warning("old jobs: " + going.error().message);
  std::uint64_t freed = 0;
  for (const auto& id : *going) {
    if (freed >= bytes) break;
    std::vector<std::string> one{id};
    const std::uint64_t size = bytes_of(one);
    if (size == 0) continue;
    co_await remove_jobs(std::move(one));
    freed += size;
  }
  if (freed > 0) ports_.logger.notice("old jobs: " + format_size(freed) + " were freed, because the disk is nearly full");
}

/// The directories that are there; those of ended jobs are measured once, because they only get smaller, and all anew
/// before one has to go for its size.
asio::awaitable<Retention::Directories> Retention::look(const std::vector<journal::JobRow>& rows) {
  std::set<std::string> open;
  for (const auto& row : rows)
    if (!row.ended) open.insert(row.job_id);
  auto measuring = [parent = jobs_directory_, known = directories_, open] { return measure(parent, known, open); };
  auto directories = co_await ports_.workers.run(std::move(measuring));
  const auto sum = [&] {
    std::uint64_t bytes = 0;
    for (const auto& [name, directory] : directories) bytes += directory.bytes;
    return bytes;
  };
  bytes_ = sum();
  if (bytes_ > keep_.size) {
    auto again = [parent = jobs_directory_, open] { return measure(parent, {}, open); };
    directories = co_await ports_.workers.run(std::move(again));
    bytes_ = sum();
  }
  co_return directories;
}

Retention::Directories Retention::measure(const fs::path& parent, Directories known, const std::set<std::string>& open) {
  Directories found;
  std::error_code error;
  for (fs::directory_iterator entry{parent, error}, end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const auto measured = known.find(name);
    if (measured != known.end() && measured->second.final) found.insert(*measured);
    else found[name] = {disk_usage(entry->path()), changed_at(entry->path()), !open.contains(name)};
  }
  return found;
}

/// The ids of ended jobs that are too many, too old or too large, and that nobody needs any more; oldest first.
Result<std::vector<std::string>> Retention::what_may_go(const std::vector<journal::JobRow>& rows, const config::History& keep) {
  const auto old = ended_long_ago(rows, ports_.clock.now() - keep_.age);
  if (!old) return old.error();
  std::vector<std::string> going;
  std::size_t newer = 0;
  std::uint64_t bytes = 0;
  for (const auto& row : rows) {
    const auto directory = directories_.find(row.job_id);
    bytes += directory == directories_.end() ? 0 : directory->second.bytes;
    if (!row.ended) continue;
    const bool too_many = ++newer > keep.jobs, too_large = bytes > keep.size;
    if (!too_many && !too_large && !old->contains(row.job_id)) continue;
    const auto settled = is_settled(row);
    if (!settled) return settled.error();
    if (*settled) going.push_back(row.job_id);
  }
  std::reverse(going.begin(), going.end());
  return going;
}

/// Which of `rows` (newest first) ended before a moment. A job that wrote its last event after one that ended later than
/// that did so, too: of a long history the oldest jobs alone are read. One that ended in the future says nothing of the
/// others: the clock was wrong.
Result<std::set<std::string>> Retention::ended_long_ago(const std::vector<journal::JobRow>& rows, Timestamp moment) {
  std::set<std::string> old;
  std::optional<job::Seq> young;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    if (!row->ended || (young && row->last > *young)) continue;
    const auto ended = end_of(*row);
    if (!ended) return ended.error();
    if (!*ended) continue;
    if (**ended < moment) old.insert(row->job_id);
    else if (**ended <= ports_.clock.now()) young = row->last;
  }
  return old;
}

/// When a job's last event was written; nothing when that cannot be read.
Result<std::optional<Timestamp>> Retention::end_of(const journal::JobRow& job) {
  const auto last = ports_.journal.read({.after = job.last - 1, .job_id = job.job_id, .limit = 1});
  if (!last) return last.error();
  return last->empty() ? std::nullopt : std::optional{last->front().occurred_at};
}

Result<bool> Retention::is_settled(const journal::JobRow& job, Parked parked) {
  const auto queued = ports_.journal.read({.job_id = job.job_id, .types = {std::string{event::job_queued}}, .limit = 1});
  if (!queued) return queued.error();
  if (queued->empty()) return true;  // Its beginning was lost: no reporter can know it.
  for (const auto& reporter : job::texts_at(queued->front().data, "reporters")) {
    const auto settled = is_settled(job, reporter, parked);
    if (!settled || !*settled) return settled;
  }
  return true;
}

/// A reporter that has not read the job's last event yet may still want its files; one that is no longer configured
/// never will, and keeps them until it is forgotten.
Result<bool> Retention::is_settled(const journal::JobRow& job, const std::string& reporter, Parked parked) {
  const auto forgotten = ports_.deliveries.is_forgotten(reporter);
  if (!forgotten || *forgotten) return forgotten;
  const auto cursor = ports_.deliveries.cursor(reporter);
  if (!cursor) return cursor.error();
  if (!*cursor || **cursor < job.last) return false;
  const auto items = ports_.deliveries.of_job(reporter, job.job_id);
  if (!items) return items.error();
  return std::all_of(items->begin(), items->end(), [parked](const auto& delivery) {
    return delivery.state == journal::DeliveryState::delivered || (delivery.state == journal::DeliveryState::parked && parked == Parked::settled);
  });
}

asio::awaitable<void> Retention::remove_jobs(std::vector<std::string> ids) {
  journal::Removal removal{.jobs = ids};
  job::Event told = tombstone(ids, {}, bytes_of(ids));
  const auto removed = co_await ports_.journal.remove(std::move(removal), std::move(told));
  if (!removed) co_return ports_.logger.warning("old jobs: " + removed.error().message);
  ports_.logger.info("removed " + std::to_string(ids.size()) + " old jobs (" + format_size(bytes_of(ids)) + " of files), the oldest " + ids.front());
  // What was parked of them cannot be looked at any more.
  for (const auto& [key, alarm] : std::map{ports_.alarms.active()})
    for (const auto& id : ids)
      if (key.find("/parked/" + id + "/") != std::string::npos) ports_.alarms.clear(key);
  co_await unlink(std::move(ids));
}

/// Directories that no job has. Those that a tombstone names were to go with their job, but the agent died; others are
/// from before a journal was lost: somebody may want to look at them, for as long as at any other job.
asio::awaitable<void> Retention::remove_strays(std::set<std::string> known) {
  std::vector<std::string> left, strange;
  const auto dead = tombstones();
  if (!dead) co_return ports_.logger.warning("old jobs: " + dead.error().message);
  for (const auto& [name, directory] : directories_) {
    if (known.contains(name) || !is_uuid(name)) continue;
    if (dead->contains(name)) left.push_back(name);
    else if (ports_.clock.now() - directory.changed > keep_.age) strange.push_back(name);
  }
  if (!strange.empty()) {
    job::Event told = tombstone({}, strange, bytes_of(strange));
    const auto written = co_await ports_.journal.remove(journal::Removal{}, std::move(told));
    if (!written) co_return ports_.logger.warning("old jobs: " + written.error().message);
    ports_.logger.notice("removed " + std::to_string(strange.size()) + " old directories of jobs that the journal does not know");
    left.insert(left.end(), strange.begin(), strange.end());
  }
  co_await unlink(std::move(left));
}

Result<std::set<std::string>> Retention::tombstones() {
  std::set<std::string> names;
  journal::Query query{.types = {std::string{event::history_removed}}};
  for (;;) {
    const auto events = ports_.journal.read(query);
    if (!events) return events.error();
    if (events->empty()) return names;
    query.after = events->back().seq;
    for (const auto& told : *events)
      for (const char* key : {"jobs", "directories"})
        for (auto& name : job::texts_at(told.data, key)) names.insert(std::move(name));
  }
}

/// What the agent noted about itself. An alarm that is still up has to be found by the next start, and one that was
/// acknowledged and is not over: else it would be told again. What goes, goes together: an acknowledgement that outlived
/// the end of its alarm would keep that alarm silent for ever.
asio::awaitable<void> Retention::remove_old_events() {
  journal::Removal removal;
  for (const auto type : {event::agent_started, event::agent_stopping, event::alarm_raised, event::alarm_cleared, event::alarm_acknowledged, event::component_superseded,
                          event::history_removed, event::claims_paused, event::claims_resumed, event::drain_started, event::drain_finished,
                          event::drain_ended, event::promotion_run_ended, event::change_asked})
    removal.types.emplace_back(type);
  removal.before = std::min(ports_.clock.now() - keep_.age, needed_since_);
  if (const auto needed = ports_.alarms.needed_since()) removal.before = std::min(removal.before, *needed);
  journal::Query oldest{.types = removal.types, .limit = 1};
  const auto there = ports_.journal.read(oldest);
  if (!there || there->empty() || there->front().occurred_at >= removal.before) co_return;
  job::Event told = tombstone({}, {}, 0);
  const auto removed = co_await ports_.journal.remove(std::move(removal), std::move(told));
  if (!removed) ports_.logger.warning("old events: " + removed.error().message);
}

asio::awaitable<void> Retention::unlink(std::vector<std::string> names) {
  for (const auto& name : names) {
    if (!directories_.contains(name)) continue;
    const fs::path directory = jobs_directory_ / name;
    auto removal = [directory] {
      std::error_code error;
      fs::remove_all(directory, error);
      return error;
    };
    const auto failed = co_await ports_.workers.run(std::move(removal));
    if (failed) {
      ports_.logger.warning("cannot remove " + directory.string() + " of an old job: " + failed.message());
    } else if (const auto found = directories_.find(name); found != directories_.end()) {  // Others look too.
      bytes_ -= std::min(bytes_, found->second.bytes);
      directories_.erase(found);
    }
  }
}

std::uint64_t Retention::bytes_of(const std::vector<std::string>& names) const {
  std::uint64_t bytes = 0;
  for (const auto& name : names)
    if (const auto found = directories_.find(name); found != directories_.end()) bytes += found->second.bytes;
  return bytes;
}

}  // namespace outpost::daemon
