#include "agent/daemon/spool_export.hpp"

#include "agent/base/text.hpp"
#include "agent/daemon/composition.hpp"
#include "agent/files/safe_path.hpp"
#include "agent/job/event_types.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace outpost::daemon {

namespace asio = boost::asio;
using delivery::SpoolEntry;
using journal::DeliveryState;

namespace {

constexpr std::size_t page = 100;       ///< Rows read before others of the loop get their turn.
constexpr std::size_t piece = 1 << 20;  ///< Bytes of a file that are read at once.
constexpr std::size_t most_open_jobs = 10'000;

std::string names_of(const std::vector<SpoolOwner>& owners) {
  std::vector<std::string> names;
  for (const auto& owner : owners) names.push_back(owner.name);
  return join(names, ", ");
}

bool waits(DeliveryState state) { return state == DeliveryState::pending || state == DeliveryState::attempting; }

/// What is listed of a row without its content.
SpoolEntry listed(const journal::Delivery& row) {
  SpoolEntry entry;
  entry.item.key = row.item.key;
  entry.item.job_id = row.item.job_id;
  entry.item.kind = row.item.kind;
  entry.state = row.state;
  entry.remote_ref = row.remote_ref;
  entry.reason = row.reason;
  return entry;
}

/// The one that is meant: the named one, or the only one for which something waits; the first when nothing does.
asio::awaitable<Result<SpoolOwner>> choose(journal::Deliveries& deliveries, std::vector<SpoolOwner> owners,
                                           std::string name) {
  std::vector<SpoolOwner> meant;
  for (const auto& owner : owners) {
    if (!name.empty() && owner.name != name) continue;
    const auto written = co_await owner.dispatcher->caught_up();
    if (!written) co_return written.error();
    const auto backlog = deliveries.backlog(owner.name);
    if (!backlog) co_return backlog.error();
    if (backlog->waiting > 0) meant.push_back(owner);
  }
  if (meant.size() > 1)
    co_return Error{Fault::malformed, "something waits for " + names_of(meant) + ": say which with --reporter"};
  if (!meant.empty()) co_return meant.front();
  if (!name.empty()) co_return find_owner(owners, name);
  if (owners.empty()) co_return Error{Fault::unavailable, "there is no reporter: the configuration has no source"};
  co_return owners.front();
}

}  // namespace

Result<SpoolOwner> find_owner(const std::vector<SpoolOwner>& owners, const std::string& name) {
  for (const auto& owner : owners)
    if (owner.name == name) return owner;
  return Error{Fault::unavailable,
               "there is no reporter \"" + printable(name, 80) + "\"; there are: " + names_of(owners)};
}

SpoolExport::SpoolExport(SpoolPorts ports, SpoolOwner owner)
    : ports_{std::move(ports)}, owner_{std::move(owner)}, writer_{owner_.key, [this](std::string_view bytes) {
                                                                    made_ += bytes;
                                                                    return Result<void>{};
                                                                  }} {}

asio::awaitable<Result<std::shared_ptr<SpoolExport>>> SpoolExport::prepare(SpoolPorts ports,
                                                                           std::vector<SpoolOwner> owners,
                                                                           std::string reporter) {
  auto owner = co_await choose(ports.deliveries, std::move(owners), std::move(reporter));
  if (!owner) co_return owner.error();
  if (owner->key.client_id().empty())
    co_return Error{Fault::refused, owner->name + ": its credentials cannot be read, and without them an archive cannot be sealed: correct them, then outpost reload"};
  const std::shared_ptr<SpoolExport> made{new SpoolExport{std::move(ports), std::move(*owner)}};
  const auto collected = co_await made->collect();
  if (!collected) co_return collected.error();
  co_return made;
}

asio::awaitable<Result<void>> SpoolExport::collect() {
  const auto executor = co_await asio::this_coro::executor;
  std::unordered_set<std::string> jobs;
  journal::Page rows{0, page};
  for (;;) {
    const auto waiting = ports_.deliveries.open(owner_.name, rows);
    if (!waiting) co_return waiting.error();
    for (const auto& row : *waiting) {
      rows.after = row.position;
      keys_.push_back(row.item.key);
      listed_.insert(row.item.key);
      jobs.insert(row.item.job_id);
      if (row.item.blob) manifest_.bytes += row.item.blob->size;
    }
    if (waiting->size() < page) break;
    co_await asio::post(executor, asio::use_awaitable);
  }
  auto parked = ports_.deliveries.parked(owner_.name);
  if (!parked) co_return parked.error();
  parked_ = std::move(*parked);
  if (auto counted = count_unclaimed(); !counted) co_return counted.error();
  if (keys_.empty()) {
    std::string message = "nothing waits for " + owner_.name;
    if (!parked_.empty()) message += "; " + std::to_string(parked_.size()) + " items are parked";
    if (unclaimed_ > 0) message += "; " + std::to_string(unclaimed_) + " jobs are not claimed yet";
    co_return Error{Fault::refused, message};
  }
  manifest_.reporter = owner_.name;
  manifest_.reporter_type = owner_.type;
  manifest_.client_id = owner_.key.client_id();
  manifest_.server = owner_.server;
  manifest_.host_id = identity_of_this_host().host_id;
  manifest_.journal_id = ports_.journal.journal_id();
  manifest_.agent_version = OUTPOST_VERSION;
  manifest_.created = ports_.clock.now();
  manifest_.items = keys_.size();
  manifest_.parked = parked_.size();
  manifest_.jobs = jobs.size();
  // Before the first byte of them leaves.
  std::vector<std::string> keys = keys_;
  co_return co_await owner_.dispatcher->mark_travelling(std::move(keys));
}

Result<void> SpoolExport::count_unclaimed() {
  const auto jobs = ports_.journal.jobs(true, most_open_jobs);
  if (!jobs) return jobs.error();
  for (const auto& job : *jobs) {
    journal::Query query{.job_id = job.job_id,
                         .types = {std::string{job::event::job_queued}, std::string{job::event::claim_granted}}};
    const auto events = ports_.journal.read(query);
    if (!events) return events.error();
    bool ours = false, claimed = false;
    for (const auto& event : *events) {
      const auto reporters = job::texts_at(event.data, "reporters");
      ours = ours || std::find(reporters.begin(), reporters.end(), owner_.name) != reporters.end();
      claimed = claimed || event.type == job::event::claim_granted;
    }
    if (ours && !claimed) ++unclaimed_;
  }
  return {};
}

asio::awaitable<Result<std::string>> SpoolExport::next() {
  while (made_.empty() && !finished_) {
    const auto stepped = co_await step();
    if (!stepped) co_return stepped.error();
  }
  co_return std::exchange(made_, {});
}

/// One thing of what is left to do.
asio::awaitable<Result<void>> SpoolExport::step() {
  std::function<Result<void>()> work;
  if (!begun_) {
    begun_ = true;
    work = [this] { return writer_.begin(manifest_); };
  } else if (bytes_.left > 0) {
    work = [this] { return copy_bytes(); };
  } else if (next_key_ < keys_.size()) {
    const auto entries = entries_of(keys_[next_key_++]);
    if (!entries) co_return entries.error();
    work = [this, list = *entries]() -> Result<void> {
      for (const auto& entry : list)
        if (auto written = write_entry(entry); !written) return written;
      return {};
    };
  } else if (next_parked_ < parked_.size()) {
    work = [this, entry = listed(parked_[next_parked_++])] { return writer_.add(entry); };
  } else {
    finished_ = true;
    work = [this] { return writer_.finish(); };
  }
  co_return co_await ports_.workers.run(std::move(work));
}

/// What an item needs of what was delivered before, then the item itself, which may have been settled meanwhile.
Result<std::vector<SpoolEntry>> SpoolExport::entries_of(const std::string& key) {
  std::vector<SpoolEntry> entries;
  const auto row = ports_.deliveries.get(owner_.name, key);
  if (!row) return row.error();
  if (!*row) return entries;
  for (const auto& need : (*row)->item.needs) {
    if (!listed_.insert(need).second) continue;
    const auto needed = ports_.deliveries.get(owner_.name, need);
    if (!needed) return needed.error();
    if (*needed && (*needed)->state == DeliveryState::delivered) entries.push_back(listed(**needed));
  }
  if (!waits((*row)->state)) {
    entries.push_back(listed(**row));
  } else {
    SpoolEntry entry;
    entry.item = (*row)->item;
    entries.push_back(std::move(entry));
  }
  return entries;
}

/// On a worker, like all below.
Result<void> SpoolExport::write_entry(SpoolEntry entry) {
  if (entry.has_bytes()) {
    // Delivery from here would find the same. The item is parked on arrival, with what needs it.
    if (auto opened = open_bytes(entry.item); !opened) entry.reason = opened.error().message;
  }
  return writer_.add(entry);
}

Result<void> SpoolExport::open_bytes(const journal::Item& item) {
  const auto directory = ports_.jobs_directory / item.job_id;
  auto file = files::open_inside(directory, item.blob->path);
  if (!file) return file.error();
  Bytes bytes{std::move(*file), (directory / item.blob->path).string(), item.blob->range ? item.blob->range->offset : 0,
              item.blob->size};
  struct stat status{};
  if (::fstat(bytes.file.get(), &status) != 0) return errno_error("cannot read", bytes.name, errno);
  const auto there = static_cast<std::uint64_t>(status.st_size);
  if (there < bytes.at + bytes.left)
    return Error{Fault::unavailable, bytes.name + " has " + std::to_string(there) + " bytes and should have " +
                                         std::to_string(bytes.at + bytes.left)};
  bytes_ = std::move(bytes);
  return {};
}

Result<void> SpoolExport::copy_bytes() {
  std::string part(static_cast<std::size_t>(std::min<std::uint64_t>(bytes_.left, piece)), '\0');
  const ssize_t got = ::pread(bytes_.file.get(), part.data(), part.size(), static_cast<off_t>(bytes_.at));
  if (got < 0 && errno == EINTR) return {};
  if (got < 0) return errno_error("cannot read", bytes_.name, errno);
  if (got == 0) return Error{Fault::unavailable, bytes_.name + " became shorter while it was exported"};
  part.resize(static_cast<std::size_t>(got));
  bytes_.at += part.size();
  bytes_.left -= part.size();
  return writer_.write(part);
}

}  // namespace outpost::daemon
