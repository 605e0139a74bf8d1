#pragma once

#include "agent/base/ids.hpp"
#include "agent/job/event_types.hpp"
#include "agent/journal/deliveries.hpp"
#include "agent/journal/journal.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <map>

namespace outpost::test {

/// Journal and delivery rows in memory, with the behaviour of the adapter (tests/journal/contract_test.cpp runs on
/// both), that can be told to fail and to lose what was not synced. Outlives what uses it, as a disk does.
class FakeJournal final : public journal::Journal, public journal::Deliveries {
 public:
  // How it misbehaves
  unsigned fail_append = 0;  ///< The n-th append from now on fails, then all goes well again; 0: none.
  bool disk_full = false;    ///< Every write fails until it is false again.
  /// Called for each write of delivery rows, with its name; true means that the machine dies here: the call never
  /// returns. `done` says whether the write has just taken effect.
  std::function<bool(std::string_view call, bool done)> dies;
  /// What a power cut loses.
  void lose_unsynced() {
    for (auto& [name, before] : unsynced_)
      if (Row* row = find(name.first, name.second)) *row = before;
    unsynced_.clear();
  }

  /// As a damaged journal does, of which the rest was rescued.
  void lose(std::string_view type) {
    std::erase_if(events_, [&](const job::Event& event) { return event.type == type; });
  }

  /// As if a job had been written while the clock was elsewhere.
  void date(const std::string& job_id, Timestamp moment) {
    for (auto& event : events_)
      if (event.job_id == job_id) event.occurred_at = moment;
  }

  unsigned appends = 0, writes = 0;  ///< Calls so far: of append(), and of all that changes delivery rows.

  boost::asio::awaitable<Result<std::vector<job::Event>>> append(std::vector<job::Event> drafts) override {
    ++appends;
    const bool fails = disk_full || (fail_append != 0 && --fail_append == 0);
    if (!fails) {
      unsynced_.clear();
      for (auto& event : drafts) keep(event);
    }
    co_await boost::asio::post(co_await boost::asio::this_coro::executor, boost::asio::use_awaitable);
    if (fails) co_return full();
    for (const auto& event : drafts) tell(event);
    co_return drafts;
  }

  Result<std::vector<job::Event>> read(const journal::Query& query) override {
    std::vector<job::Event> found;
    for (const auto& event : events_) {
      if (found.size() == query.limit) break;
      const bool type_fits =
          query.types.empty() || std::find(query.types.begin(), query.types.end(), event.type) != query.types.end();
      if (event.seq > query.after && type_fits && (query.job_id.empty() || query.job_id == event.job_id))
        found.push_back(event);
    }
    return found;
  }

  Result<std::vector<journal::JobRow>> jobs(bool open_only, std::size_t limit) override {
    std::map<std::string, journal::JobRow> jobs;
    for (const auto& event : events_) {
      if (event.job_id.empty()) continue;
      auto& row = jobs.try_emplace(event.job_id, journal::JobRow{event.job_id, event.seq, 0, false}).first->second;
      row.last = event.seq;
      row.ended = row.ended || event.type == job::event::job_ended || event.type == job::event::job_withdrawn;
    }
    std::vector<journal::JobRow> rows;
    for (const auto& [id, row] : jobs)
      if (!open_only || !row.ended) rows.push_back(row);
    std::sort(rows.begin(), rows.end(), [](const auto& left, const auto& right) { return left.first > right.first; });
    if (rows.size() > limit) rows.resize(limit);
    return rows;
  }

  boost::asio::awaitable<Result<job::Event>> remove(journal::Removal removal, job::Event tombstone) override {
    const bool survived = co_await arrive("remove");
    if (!survived) co_return full();
    keep(tombstone);
    for (const auto& row : *jobs(false, events_.size()))
      if (row.ended && std::find(removal.jobs.begin(), removal.jobs.end(), row.job_id) != removal.jobs.end())
        remove_job(row.job_id);
    std::erase_if(events_, [&](const job::Event& event) {
      const bool type_fits = std::find(removal.types.begin(), removal.types.end(), event.type) != removal.types.end();
      return type_fits && event.job_id.empty() && event.occurred_at < removal.before && event.seq < last_;
    });
    co_await leave("remove");
    tell(tombstone);
    co_return tombstone;
  }

  [[nodiscard]] job::Seq last() const override { return last_; }
  [[nodiscard]] std::string journal_id() const override { return "fake-journal"; }
  [[nodiscard]] std::shared_ptr<void> subscribe(Listener listener) override {
    auto token = std::make_shared<Listener>(std::move(listener));
    listeners_.push_back(token);
    return token;
  }

  Result<std::optional<job::Seq>> cursor(const std::string& reporter) override {
    const auto found = reporters_.find(reporter);
    if (found == reporters_.end() || found->second.forgotten) return std::optional<job::Seq>{};
    return std::optional<job::Seq>{found->second.cursor};
  }

  boost::asio::awaitable<Result<void>> expand_all(std::string reporter, job::Seq upto,
                                                  std::vector<journal::Expansion> expansions) override {
    const bool survived = co_await arrive("expand_all");
    if (!survived) co_return full();
    auto& known = reporters_[reporter];
    known.cursor = std::exchange(known.forgotten, false) ? upto : std::max(known.cursor, upto);
    for (auto& expansion : expansions)
      for (auto& item : expansion.items) {
        if (find(reporter, item.key)) continue;
        Row row;
        row.reporter = reporter;
        row.seq = expansion.seq;
        row.position = rows_.size() + 1;
        if (expansion.seq <= known.doubtful) row.state = journal::DeliveryState::attempting;
        row.item = std::move(item);
        index_[{reporter, row.item.key}] = rows_.size();
        rows_.push_back(std::move(row));
      }
    co_await leave("expand_all");
    co_return Result<void>{};
  }

  using Deliveries::open;
  Result<std::vector<journal::Delivery>> open(const std::string& reporter, journal::Page page) override {
    std::vector<journal::Delivery> found;
    for (std::size_t index = page.after; index < rows_.size() && found.size() < page.limit; ++index)
      if (rows_[index].reporter == reporter && is_open(rows_[index])) found.push_back(rows_[index]);
    return found;
  }
  Result<std::optional<journal::Delivery>> get(const std::string& reporter, const std::string& key) override {
    const Row* row = find(reporter, key);
    return row ? std::optional<journal::Delivery>{*row} : std::nullopt;
  }
  Result<std::vector<journal::Delivery>> of_job(const std::string& reporter, const std::string& job_id) override {
    return select([&](const Row& row) { return row.reporter == reporter && row.item.job_id == job_id; });
  }
  Result<std::vector<journal::Delivery>> parked(const std::string& reporter) override {
    return select(
        [&](const Row& row) { return row.reporter == reporter && row.state == journal::DeliveryState::parked; });
  }

  boost::asio::awaitable<Result<void>> mark_attempting(std::string reporter, std::string key) override {
    return mark("mark_attempting", std::move(reporter), std::move(key), journal::DeliveryState::attempting, {});
  }
  boost::asio::awaitable<Result<void>> mark_pending(std::string reporter, std::string key,
                                                    std::string reason) override {
    return mark("mark_pending", std::move(reporter), std::move(key), journal::DeliveryState::pending,
                std::move(reason));
  }
  boost::asio::awaitable<Result<void>> mark_parked(std::string reporter, std::string key, std::string reason) override {
    return mark("mark_parked", std::move(reporter), std::move(key), journal::DeliveryState::parked, std::move(reason));
  }
  boost::asio::awaitable<Result<void>> mark_delivered(std::string reporter, std::string key,
                                                      std::string remote_ref) override {
    ++writes;
    if (dies && dies("mark_delivered", false)) co_await for_ever();
    if (Row* row = find(reporter, key); row && row->state != journal::DeliveryState::delivered) {
      unsynced_.try_emplace({reporter, key}, *row);
      row->state = journal::DeliveryState::delivered;
      row->remote_ref = remote_ref;
      row->reason.clear();
      ++reporters_[reporter].delivered;
    }
    if (dies && dies("mark_delivered", true)) co_await for_ever();
    co_return Result<void>{};
  }

  Result<journal::Backlog> backlog(const std::string& reporter) override {
    journal::Backlog backlog;
    for (const auto& row : rows_) {
      if (row.reporter != reporter) continue;
      if (is_open(row)) ++backlog.waiting, backlog.waiting_bytes += row.item.blob ? row.item.blob->size : 0;
      if (row.state == journal::DeliveryState::parked) ++backlog.parked;
    }
    if (const auto known = reporters_.find(reporter); known != reporters_.end())
      backlog.delivered = known->second.delivered;
    return backlog;
  }

  Result<std::vector<journal::KnownReporter>> reporters() override {
    std::vector<journal::KnownReporter> found;
    for (const auto& [name, known] : reporters_)
      if (!known.forgotten) found.push_back({name, known.cursor});
    return found;
  }
  Result<job::Seq> doubtful_up_to(const std::string& reporter) override { return reporters_[reporter].doubtful; }
  /// As if the journal had lost something up to this event.
  void doubt(const std::string& reporter, job::Seq upto) { reporters_[reporter].doubtful = upto; }
  boost::asio::awaitable<Result<void>> drop_bytes(std::string reporter, std::vector<std::string> keys,
                                                  std::string reason, job::Event tombstone) override {
    const bool survived = co_await arrive("drop_bytes");
    if (!survived) co_return full();
    for (const auto& key : keys)
      if (Row* row = find(reporter, key); row && row->state == journal::DeliveryState::pending)
        journal::give_up_bytes(row->item, reason);
    keep(tombstone);
    co_await leave("drop_bytes");
    tell(tombstone);
    co_return Result<void>{};
  }
  boost::asio::awaitable<Result<void>> forget_reporter(std::string reporter, job::Event tombstone) override {
    const bool survived = co_await arrive("forget_reporter");
    if (!survived) co_return full();
    if (const auto known = reporters_.find(reporter); known != reporters_.end()) known->second.forgotten = true;
    remove_rows([&](const Row& row) { return row.reporter == reporter; });
    keep(tombstone);
    co_await leave("forget_reporter");
    tell(tombstone);
    co_return Result<void>{};
  }
  Result<bool> is_forgotten(const std::string& reporter) override {
    const auto known = reporters_.find(reporter);
    return known != reporters_.end() && known->second.forgotten;
  }

  std::string boot_id = "fake-boot";

 private:
  using Row = journal::Delivery;
  struct Known {
    job::Seq cursor = 0;
    std::uint64_t delivered = 0;
    job::Seq doubtful = 0;
    bool forgotten = false;
  };

  void remove_job(const std::string& job_id) {
    std::erase_if(events_, [&](const job::Event& event) { return event.job_id == job_id; });
    remove_rows([&](const Row& row) { return row.item.job_id == job_id; });
  }
  /// Their places stay, so that positions keep their meaning.
  template <class Gone>
  void remove_rows(Gone gone) {
    for (auto& row : rows_) {
      if (!gone(row)) continue;
      index_.erase({row.reporter, row.item.key});
      unsynced_.erase({row.reporter, row.item.key});
      row = Row{};
      row.state = journal::DeliveryState::delivered;
    }
  }

  static Error full() { return {Fault::retry_later, "journal: database or disk is full (nothing was written)"}; }
  static bool is_open(const Row& row) {
    return row.state == journal::DeliveryState::pending || row.state == journal::DeliveryState::attempting;
  }

  void keep(job::Event& event) {
    const SystemClock clock;
    event.journal_id = journal_id();
    event.seq = ++last_;
    event.occurred_at = clock.now();
    event.event_id = new_id(event.occurred_at);
    event.monotonic_ns = clock.since_boot().count();
    event.host_id = "fake-host";
    event.boot_id = boot_id;
    event.agent_version = "0";
    events_.push_back(event);
  }

  void tell(const job::Event& event) {
    const auto listeners = listeners_;
    for (const auto& weak : listeners)
      if (const auto listener = weak.lock()) (*listener)(event);
  }

  Row* find(const std::string& reporter, const std::string& key) {
    const auto found = index_.find({reporter, key});
    return found == index_.end() ? nullptr : &rows_[found->second];
  }

  template <class Wanted>
  std::vector<journal::Delivery> select(Wanted wanted) const {
    std::vector<journal::Delivery> found;
    std::copy_if(rows_.begin(), rows_.end(), std::back_inserter(found), wanted);
    return found;
  }

  static boost::asio::awaitable<void> for_ever() {
    boost::asio::steady_timer never{co_await boost::asio::this_coro::executor,
                                    boost::asio::steady_timer::time_point::max()};
    co_await never.async_wait(boost::asio::use_awaitable);
  }

  /// False when the disk is full.
  boost::asio::awaitable<bool> arrive(std::string call) {
    ++writes;
    if (dies && dies(call, false)) co_await for_ever();
    if (!disk_full) unsynced_.clear();
    co_return !disk_full;
  }
  boost::asio::awaitable<void> leave(std::string call) {
    if (dies && dies(call, true)) co_await for_ever();
    co_await boost::asio::post(co_await boost::asio::this_coro::executor, boost::asio::use_awaitable);
  }

  boost::asio::awaitable<Result<void>> mark(std::string call, std::string reporter, std::string key,
                                            journal::DeliveryState to, std::string reason) {
    const bool survived = co_await arrive(call);
    if (!survived) co_return full();
    Row* row = find(reporter, key);
    if (row && row->state != journal::DeliveryState::delivered) {
      row->state = to;
      if (to == journal::DeliveryState::attempting)
        ++row->attempts;
      else
        row->reason = reason;
    }
    co_await leave(call);
    if (!row) co_return Error{Fault::bug, "journal: reporter " + reporter + " has no item " + key};
    co_return Result<void>{};
  }

  std::vector<job::Event> events_;
  job::Seq last_ = 0;
  std::vector<Row> rows_;
  std::map<std::pair<std::string, std::string>, std::size_t> index_;  ///< Into rows_.
  std::map<std::string, Known> reporters_;
  std::map<std::pair<std::string, std::string>, Row> unsynced_;  ///< As they were before.
  std::vector<std::weak_ptr<Listener>> listeners_;
};

}  // namespace outpost::test
