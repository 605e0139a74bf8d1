#include "agent/delivery/dispatcher.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event_types.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <utility>

namespace outpost::delivery {

namespace asio = boost::asio;

namespace {

constexpr std::size_t page = 100;  ///< Rows loaded before others of the loop get their turn.
/// A cursor that lags costs only that events are expanded again, to the same keys; so it goes along with items, and
/// alone only now and then.
constexpr job::Seq cursor_lag = 200;
constexpr Milliseconds journal_backoff{1000};
constexpr Milliseconds journal_cap{30'000};

using journal::DeliveryState;

bool is_open(const std::optional<DeliveryState>& state) {
  return state == DeliveryState::pending || state == DeliveryState::attempting;
}

bool ends_job(const job::Event& event) {
  return event.type == job::event::job_ended || event.type == job::event::job_withdrawn;
}

}  // namespace

Dispatcher::Dispatcher(std::string name, journal::Journal& journal, journal::Deliveries& deliveries,
                       pipeline::Reporter& reporter, const Clock& clock, const asio::any_io_executor& loop,
                       std::unique_ptr<Timing> timing, Options options, AlarmSink alarm)
    : name_{std::move(name)},
      journal_{journal},
      deliveries_{deliveries},
      reporter_{reporter},
      clock_{clock},
      loop_{loop},
      timing_{std::move(timing)},
      options_{options},
      alarm_{std::move(alarm)},
      wake_{loop},
      changed_{loop},
      feed_{journal, [this] { event_arrived(); }},
      stories_{journal, name_},
      link_{{options.parallel + 1, options.backoff, options.probe_cap}} {}

void Dispatcher::event_arrived() {
  journal_due_ = Moment{};  // Somebody could write.
  wake_.ring();
}

asio::awaitable<Result<void>> Dispatcher::prepare() {
  if (prepared_) co_return Result<void>{};
  auto cursor = deliveries_.cursor(name_);
  if (!cursor) co_return cursor.error();
  if (!*cursor) {
    std::vector<job::Event> drafts(1);
    drafts.front().type = job::event::reporter_registered;
    drafts.front().data = {{"reporter", name_}, {"type", reporter_.type()}, {"from", "now"}};
    const auto registered = co_await journal_.append(std::move(drafts));
    if (!registered) co_return registered.error();
    const job::Seq now = registered->front().seq;
    std::vector<journal::Item> none;
    auto written = co_await deliveries_.expand(name_, now, std::move(none));
    if (!written) co_return written.error();
    cursor = now;
  }
  const auto doubtful = deliveries_.doubtful_up_to(name_);
  if (!doubtful) co_return doubtful.error();
  doubtful_ = *doubtful;
  auto loaded = co_await load();
  if (!loaded) co_return loaded.error();
  cursor_ = expanded_ = **cursor;
  feed_.start_after(cursor_);
  prepared_ = true;
  co_return Result<void>{};
}

asio::awaitable<Result<void>> Dispatcher::load() {
  outbox_.clear();
  failing_.clear();
  // Since when what is stuck fails was forgotten with it.
  if (std::exchange(stuck_told_, false))
    alarm_({false, name_ + "/stuck", "stuck", "reporter " + name_ + ": begins again with all that waits"});
  stories_.clear();
  expansions_.clear();
  parking_.clear();
  journal::Page rows{0, page};
  for (;;) {
    auto deliveries = deliveries_.open(name_, rows);
    if (!deliveries) co_return deliveries.error();
    for (const auto& delivery : *deliveries) {
      rows.after = delivery.position;
      auto admitted = admit(delivery.item, delivery.state == journal::DeliveryState::attempting);
      if (!admitted) co_return admitted.error();
    }
    if (deliveries->size() < page) co_return Result<void>{};
    co_await asio::post(loop_, asio::use_awaitable);
  }
}

asio::awaitable<void> Dispatcher::run() {
  std::exception_ptr failure;
  try {
    co_await work();
  } catch (const boost::system::system_error& error) {
    if (error.code() != asio::error::operation_aborted) failure = std::current_exception();
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  stopping_ = true;
  timing_->ring_at(Moment::max(), nullptr);
  const auto attempts = attempts_;
  for (const auto& [key, signal] : attempts) signal->emit(asio::cancellation_type::terminal);
  for (auto seen = changed_.count(); !attempts_.empty() || writing_expansions_ || writing_parked_;
       seen = changed_.count())
    co_await changed_.wait(seen);
  stopping_ = false;
  prepared_ = false;  // What was on its way is known to the rows only: another run() begins with them.
  if (failure) std::rethrow_exception(failure);
}

asio::awaitable<void> Dispatcher::work() {
  for (;;) {
    const auto seen = wake_.count();
    if (!prepared_ && timing_->now() >= journal_due_) {
      const auto prepared = co_await prepare();
      if (!prepared) journal_failed(prepared.error());
    }
    if (prepared_) {
      co_await take_in();
      start_writing();
      start_sending();
    }
    timing_->ring_at(due(), [this] { wake_.ring(); });
    co_await wake_.wait(seen);
  }
}

asio::awaitable<void> Dispatcher::take_in() {
  // One transaction at a time: a cursor must not pass an event whose items were not written.
  while (!writing_expansions_ && expansions_.empty() && timing_->now() >= journal_due_) {
    auto events = feed_.next();
    if (!events) co_return journal_failed(events.error());
    if (events->empty()) co_return changed_.ring();
    for (const auto& event : *events) {
      const auto expanded = co_await expand(event);
      if (expanded) continue;
      feed_.start_after(expanded_);
      co_return journal_failed(expanded.error());
    }
    if (expansions_.empty()) co_await asio::post(loop_, asio::use_awaitable);
  }
}

asio::awaitable<Result<void>> Dispatcher::expand(const job::Event& event) {
  const auto before = co_await stories_.before(event);
  if (!before) co_return before.error();
  if (*before) {
    journal::Expansion expansion{event.seq, {}};
    std::optional<Error> failed;
    for (auto& item : items_of(event, **before)) {
      const auto admitted = admit(item, event.seq <= doubtful_);
      if (!admitted) failed = admitted.error();
      if (failed) break;
      if (*admitted) expansion.items.push_back(std::move(item));
    }
    // What was admitted is written even when the event has to be expanded again for the rest.
    if (!expansion.items.empty()) expansions_.push_back(std::move(expansion));
    if (failed) co_return std::move(*failed);
    cursor_matters_ = cursor_matters_ || ends_job(event);
  }
  stories_.apply(event);
  expanded_ = event.seq;
  co_return Result<void>{};
}

std::vector<journal::Item> Dispatcher::items_of(const job::Event& event, const job::Story& before) {
  const std::string key = name_ + "/expand/" + event.type;
  try {
    auto items = reporter_.expand(event, before);
    if (not_expanded_.erase(event.type) > 0)
      alarm_({false, key, "expand", "reporter " + name_ + " can report " + event.type + " again"});
    return items;
  } catch (const std::exception& error) {
    // A bug of the reporter costs what it would have said about this event, not all that comes after.
    not_expanded_.insert(event.type);
    alarm_({true, key, "expand",
            "reporter " + name_ + " cannot report " + event.type + " (event " + std::to_string(event.seq) +
                "): " + printable(error.what())});
    return {};
  }
}

/// False when the item was known. One whose prerequisite is parked, or never was, is parked too.
Result<bool> Dispatcher::admit(const journal::Item& item, bool uncertain) {
  if (outbox_.contains(item.key) || parking_.contains(item.key)) return false;
  if (prepared_) {
    const auto known = deliveries_.get(name_, item.key);
    if (!known) return known.error();
    if (*known) return false;
  }
  if (auto queued = enqueue(item, uncertain); !queued) return queued.error();
  return true;
}

Result<void> Dispatcher::enqueue(const journal::Item& item, bool uncertain) {
  Outbox::Blockers blockers;
  std::string doom;
  for (const auto& need : item.needs) {
    const auto state = state_of(need);
    if (!state) return state.error();
    if (!*state) doom = "needs " + need + ", which this reporter never had";
    if (*state == DeliveryState::parked) {
      // What is at the bottom of it is what people have to look at, and they are told of that alone.
      const std::string reason = reason_of(need);
      doom = is_inherited(reason) ? reason : inherited(need, reason);
    }
    if (is_open(*state)) blockers.needs.push_back(need);
  }
  for (const auto& before : item.follows) {
    const auto state = state_of(before);
    if (!state) return state.error();
    if (is_open(*state)) blockers.follows.push_back(before);
  }
  outbox_.add(item.key, item.job_id, uncertain, blockers);
  if (!doom.empty()) park(item.key, doom, !is_inherited(doom));
  return {};
}

/// Where an item stands: in memory first, because rows may be a moment late. Nothing when nobody made it.
Result<std::optional<DeliveryState>> Dispatcher::state_of(const std::string& key) {
  if (outbox_.contains(key)) return std::optional{DeliveryState::pending};
  if (parking_.contains(key)) return std::optional{DeliveryState::parked};
  const auto row = deliveries_.get(name_, key);
  if (!row) return row.error();
  return *row ? std::optional{(*row)->state} : std::nullopt;
}

std::string Dispatcher::reason_of(const std::string& parked_key) {
  if (const auto writing = parking_.find(parked_key); writing != parking_.end()) return writing->second;
  const auto row = deliveries_.get(name_, parked_key);
  return row && *row ? (*row)->reason : std::string{};
}

void Dispatcher::start_writing() {
  if (timing_->now() < journal_due_) return;
  const auto done = [this](bool& writing) {
    writing = false;
    wake_.ring();
    changed_.ring();
  };
  cursor_matters_ = cursor_matters_ || expanded_ >= cursor_ + cursor_lag;
  if (!writing_expansions_ && (!expansions_.empty() || cursor_matters_)) {
    writing_expansions_ = true;
    asio::co_spawn(loop_, write_expansions(), [this, done](std::exception_ptr) { done(writing_expansions_); });
  }
  if (!writing_parked_ && !parking_.empty()) {
    writing_parked_ = true;
    asio::co_spawn(loop_, write_parked(), [this, done](std::exception_ptr) { done(writing_parked_); });
  }
}

asio::awaitable<void> Dispatcher::write_expansions() {
  const job::Seq upto = expanded_;
  auto expansions = expansions_;
  const auto written = co_await deliveries_.expand_all(name_, upto, std::move(expansions));
  if (!written) co_return journal_failed(written.error());
  expansions_.clear();
  cursor_ = upto;
  cursor_matters_ = false;
  journal_works();
}

asio::awaitable<void> Dispatcher::write_parked() {
  while (!parking_.empty()) {
    const auto [key, reason] = *parking_.begin();
    const auto written = co_await deliveries_.mark_parked(name_, key, reason);
    if (!written) co_return journal_failed(written.error());
    parking_.erase(key);
    journal_works();
  }
}

void Dispatcher::journal_failed(const Error& error) {
  last_error_ = printable(error.message);
  ++journal_failures_;
  // Not by chance alone: a full disk must not be tried in a tight loop.
  const auto limit = backoff(journal_failures_, journal_backoff, journal_cap, 1.0);
  journal_due_ = timing_->now() + limit / 2 + fraction(limit / 2);
  changed_.ring();
}

void Dispatcher::journal_works() {
  journal_failures_ = 0;
  journal_due_ = Moment{};
}

Moment Dispatcher::due() const { return std::min(prepared_ ? next_attempt() : Moment::max(), journal_due()); }

/// When a write that failed is to be tried again; max() when none did.
Moment Dispatcher::journal_due() const { return journal_due_ > timing_->now() ? journal_due_ : Moment::max(); }

asio::awaitable<void> Dispatcher::idle() { return settled(journal_.last(), {}); }

asio::awaitable<void> Dispatcher::wait_until_settled(std::string job_id) {
  return settled(journal_.last(), std::move(job_id));
}

asio::awaitable<void> Dispatcher::settled(job::Seq upto, std::string job_id) {
  for (;;) {
    const auto seen = changed_.count();
    const auto open = job_id.empty() ? outbox_.size() : outbox_.of_job(job_id);
    if (prepared_ && expanded_ >= upto && open == 0 && expansions_.empty() && parking_.empty()) co_return;
    co_await changed_.wait(seen);
  }
}

Status Dispatcher::status() {
  Status status;
  if (const auto backlog = deliveries_.backlog(name_)) {
    status.waiting = backlog->waiting;
    status.parked = backlog->parked;
    status.delivered = backlog->delivered;
  }
  status.last_contact = last_contact_;
  status.last_error = last_error_;
  status.credentials_refused = credentials_refused_;
  status.link_down = link_.down();
  status.retried = retried_;
  const Moment next = next_attempt();
  if (next != Moment::max()) {
    const auto wait = std::max(next - timing_->now(), Moment::duration::zero());
    status.next_attempt = clock_.now() + std::chrono::duration_cast<std::chrono::microseconds>(wait);
  }
  return status;
}

}  // namespace outpost::delivery
