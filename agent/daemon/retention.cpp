#include "agent/daemon/retention.hpp"

#include "agent/job/event_types.hpp"

#include <algorithm>
#include <limits>
#include <system_error>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

std::set<std::string> directories_in(const fs::path& parent) {
  std::set<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry{parent, error}, end; !error && entry != end; entry.increment(error)) names.insert(entry->path().filename().string());
  return names;
}

std::error_code remove_directory(const fs::path& directory) {
  std::error_code error;
  fs::remove_all(directory, error);
  return error;
}

}  // namespace

asio::awaitable<void> Retention::sweep() {
  auto listing = [parent = rule_.jobs_directory] { return directories_in(parent); };
  const auto directories = co_await workers_.run(std::move(listing));
  if (directories.size() <= rule_.keep) co_return;
  const auto old = beyond_the_newest(directories);
  if (!old) co_return logger_.warning("old jobs: " + old.error().message);
  for (const auto& job : *old) {
    const auto settled = is_settled(job);
    if (!settled) co_return logger_.warning("old jobs: " + settled.error().message);
    if (!*settled) continue;
    const fs::path directory = rule_.jobs_directory / job.job_id;
    auto removal = [directory] { return remove_directory(directory); };
    const auto failed = co_await workers_.run(std::move(removal));
    if (failed) logger_.warning("cannot remove " + directory.string() + " of an old job: " + failed.message());
  }
}

/// The ended jobs that still have a directory, without the newest, newest first.
Result<std::vector<journal::JobRow>> Retention::beyond_the_newest(const std::set<std::string>& directories) {
  auto rows = journal_.jobs(false, std::numeric_limits<std::int32_t>::max());
  if (!rows) return rows.error();
  std::erase_if(*rows, [&](const auto& row) { return !row.ended || !directories.contains(row.job_id); });
  rows->erase(rows->begin(), rows->begin() + static_cast<std::ptrdiff_t>(std::min(rows->size(), rule_.keep)));
  return rows;
}

/// A reporter that has not read the job's last event yet may still want its files; one that is no longer configured
/// never will, and keeps them.
Result<bool> Retention::is_settled(const journal::JobRow& job) {
  const auto queued = journal_.read({.job_id = job.job_id, .types = {std::string{job::event::job_queued}}, .limit = 1});
  if (!queued) return queued.error();
  if (queued->empty()) return false;
  for (const auto& reporter : job::texts_at(queued->front().data, "reporters")) {
    const auto cursor = deliveries_.cursor(reporter);
    if (!cursor) return cursor.error();
    if (!*cursor || **cursor < job.last) return false;
    const auto items = deliveries_.of_job(reporter, job.job_id);
    if (!items) return items.error();
    const bool all = std::all_of(items->begin(), items->end(), [](const auto& delivery) {
      return delivery.state == journal::DeliveryState::delivered || delivery.state == journal::DeliveryState::parked;
    });
    if (!all) return false;
  }
  return true;
}

}  // namespace outpost::daemon
