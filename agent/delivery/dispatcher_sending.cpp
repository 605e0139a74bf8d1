// The sending half of Dispatcher: from ready items to the server and back.

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/delivery/dispatcher.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <variant>

namespace outpost::delivery {

namespace asio = boost::asio;
using pipeline::Outcome;

struct Dispatcher::Attempt {
  Entry& entry;
  bool ask_first = false;  ///< An earlier attempt may have arrived.
  bool sent = false;       ///< This time it was sent, not only asked for.
  journal::Item item;
  pipeline::Refs refs;
};

/// When something may be sent; now or earlier: at once. max(): not before something else happens.
Moment Dispatcher::next_attempt() const {
  const bool one_only = credentials_refused_ || link_.down();
  if (stopping_ || attempts_.size() >= (one_only ? 1 : options_.parallel)) return Moment::max();
  if (outbox_.next() == Moment::max()) return Moment::max();
  const Moment next = std::max(outbox_.next(), journal_due_);
  if (credentials_refused_) return std::max(next, probe_at_);
  return link_.down() ? std::max(next, link_.probe_at()) : next;
}

void Dispatcher::start_sending() {
  for (;;) {
    const Moment now = timing_->now();
    if (next_attempt() > now) return;
    Entry* entry = outbox_.take(now);
    if (!entry) return;
    if (credentials_refused_) probe_at_ = now + options_.credentials;
    const std::string key = entry->key;
    auto signal = std::make_shared<asio::cancellation_signal>();
    attempts_.emplace(key, signal);
    auto done = [this, key, signal](std::exception_ptr error) {
      attempts_.erase(key);
      if (Entry* left = outbox_.find(key); left && error && !stopping_)
        put_off(*left, pipeline::RetryAfter{std::nullopt, "the attempt ended in an unexpected way"});
      wake_.ring();
      changed_.ring();
    };
    asio::co_spawn(loop_, deliver(key), asio::bind_cancellation_slot(signal->slot(), std::move(done)));
  }
}

asio::awaitable<void> Dispatcher::deliver(std::string key) {
  Attempt attempt{*outbox_.find(key)};
  attempt.ask_first = attempt.entry.uncertain;
  const auto begun = co_await begin(attempt);
  if (!begun) {
    journal_failed(begun.error());
    outbox_.put_back(attempt.entry, journal_due_);
    co_return;
  }
  std::optional<Outcome> outcome;
  if (attempt.ask_first) outcome = co_await look_for(attempt);
  if (!outcome) {
    attempt.sent = true;
    outcome = co_await send(attempt);
  }
  // What the server said is written down even when we are being stopped.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await conclude(attempt, std::move(*outcome));
}

/// Commits the attempt, then reads what is to be sent: in this order, because an item that was expanded a moment ago
/// becomes readable with the same sync.
asio::awaitable<Result<void>> Dispatcher::begin(Attempt& attempt) {
  const std::string key = attempt.entry.key;
  auto marked = co_await deliveries_.mark_attempting(name_, key);
  if (!marked) co_return marked.error();
  journal_works();
  attempt.entry.uncertain = true;
  auto row = deliveries_.get(name_, key);
  if (!row) co_return row.error();
  if (!*row) co_return Error{Fault::bug, "delivery: item " + key + " of reporter " + name_ + " is gone"};
  attempt.item = std::move((*row)->item);
  for (const auto& need : attempt.item.needs) {
    auto needed = deliveries_.get(name_, need);
    if (!needed) co_return needed.error();
    if (*needed) attempt.refs.emplace(need, (*needed)->remote_ref);
  }
  co_return Result<void>{};
}

/// Nothing when the item is not at the server and has to be sent.
asio::awaitable<std::optional<Outcome>> Dispatcher::look_for(const Attempt& attempt) {
  std::string thrown;
  try {
    const auto found = co_await reporter_.find(attempt.item, attempt.refs);
    if (found && *found) co_return Outcome{pipeline::Delivered{**found}};
    if (found) co_return std::nullopt;
    if (found.error().fault == Fault::credentials) co_return Outcome{pipeline::FixCredentials{found.error().message}};
    co_return Outcome{pipeline::RetryAfter{std::nullopt, found.error().message}};
  } catch (const std::exception& error) {
    if (stopping_) throw;
    thrown = error.what();
  }
  co_return Outcome{pipeline::RetryAfter{std::nullopt, thrown}};
}

asio::awaitable<Outcome> Dispatcher::send(const Attempt& attempt) {
  std::string reason;
  try {
    for (unsigned again = 0; again <= options_.rereads; ++again) {
      Outcome outcome = co_await reporter_.send(attempt.item, attempt.refs);
      const auto* reread = std::get_if<pipeline::Reread>(&outcome);
      if (!reread) co_return outcome;
      server_answered(false);
      ++retried_.reread;
      reason = "changed at the server again and again: " + reread->reason;
    }
  } catch (const std::exception& error) {
    if (stopping_) throw;
    reason = error.what();
  }
  co_return Outcome{pipeline::RetryAfter{std::nullopt, reason}};
}

asio::awaitable<void> Dispatcher::conclude(Attempt& attempt, Outcome outcome) {
  const std::string key = attempt.entry.key;
  if (const auto* delivered = std::get_if<pipeline::Delivered>(&outcome)) {
    server_answered(true);
    const std::string remote_ref = delivered->remote_ref;
    const auto marked = co_await deliveries_.mark_delivered(name_, key, remote_ref);
    if (!marked) {
      // It is at the server; the row says so after the next find.
      journal_failed(marked.error());
      outbox_.put_back(attempt.entry, journal_due_);
      co_return;
    }
    outbox_.settle(key, true);
    fails_no_longer(key);
  } else if (const auto* parked = std::get_if<pipeline::Parked>(&outcome)) {
    server_answered(true);
    park(key, printable(parked->reason));
  } else if (const auto* refused = std::get_if<pipeline::FixCredentials>(&outcome)) {
    const std::string reason = printable(refused->reason);
    ++retried_.credentials;
    co_await refuse_credentials(attempt, reason);
  } else if (!stopping_) {
    const auto& retry = std::get<pipeline::RetryAfter>(outcome);
    ++retried_.later;
    if (retry.unsent && attempt.sent && !attempt.ask_first) {
      std::string reason = retry.reason;
      co_await take_back(attempt, std::move(reason));
    }
    put_off(attempt.entry, retry);
  }
}

asio::awaitable<void> Dispatcher::refuse_credentials(const Attempt& attempt, std::string reason) {
  last_contact_ = clock_.now();
  last_error_ = reason;
  static_cast<void>(link_.answered());
  if (!std::exchange(credentials_refused_, true)) {
    probe_at_ = timing_->now() + options_.credentials;
    alarm_({true, name_ + "/credentials", "credentials",
            "reporter " + name_ + ": the server refuses our credentials: " + reason +
                "; everything is kept and tried again three times an hour, or as soon as they are replaced"});
  }
  // The server said no to the only request that there was: it does not have the item.
  if (attempt.sent && !attempt.ask_first) co_await take_back(attempt, std::move(reason));
  outbox_.put_back(attempt.entry, timing_->now());
}

/// The item is surely not at the server: this was its only attempt, and it came to nothing.
asio::awaitable<void> Dispatcher::take_back(const Attempt& attempt, std::string reason) {
  if (attempt.entry.travelling) co_return;
  const std::string key = attempt.entry.key;
  reason = printable(reason);
  const auto marked = co_await deliveries_.mark_pending(name_, key, std::move(reason));
  if (marked && !attempt.entry.travelling) attempt.entry.uncertain = false;
}

/// A random part of a duration.
Milliseconds Dispatcher::fraction(Milliseconds whole) {
  return Milliseconds{static_cast<std::int64_t>(static_cast<double>(whole.count()) * timing_->random())};
}

void Dispatcher::put_off(Entry& entry, const pipeline::RetryAfter& outcome) {
  const Moment now = timing_->now();
  last_error_ = printable(outcome.reason);
  // A server that says when to come back can be reached.
  if (outcome.wait)
    last_contact_ = clock_.now();
  else
    link_.failed(entry.key, now, timing_->random());
  entry.pulls = entry.failures > 0 && entry.answers_seen != answers_ ? entry.pulls + 1 : 0;
  entry.answers_seen = answers_;
  ++entry.failures;
  Moment due = now + backoff(entry.failures, options_.backoff, options_.cap, timing_->random());
  if (outcome.wait) {
    entry.earliest = now + *outcome.wait;
    // Others were told the same time: do not all come at once.
    due = std::max(due, entry.earliest + fraction(options_.backoff));
  }
  note_failure(entry.key, last_error_);
  outbox_.put_back(entry, due);
}

void Dispatcher::note_failure(const std::string& key, const std::string& reason) {
  auto& failing = failing_[key];
  if (failing.tries++ == 0) {
    failing.since = timing_->now();
    failing.first = clock_.now();
  }
  failing.reason = reason;
  tell_stuck();
}

void Dispatcher::fails_no_longer(const std::string& key) {
  if (failing_.erase(key) > 0 && stuck_told_) tell_stuck();
}

/// One alarm for all, about the item that waits the longest: a server in trouble may hold up thousands.
void Dispatcher::tell_stuck() {
  const std::pair<const std::string, Failing>* oldest = nullptr;
  std::size_t count = 0;
  for (const auto& each : failing_) {
    if (timing_->now() - each.second.since < options_.stuck) continue;
    ++count;
    if (!oldest || each.second.since < oldest->second.since) oldest = &each;
  }
  if (!oldest) {
    if (std::exchange(stuck_told_, false)) alarm_({false, name_ + "/stuck", "stuck", "reporter " + name_ + ": all items get through again"});
    return;
  }
  stuck_told_ = true;
  const auto& [key, failing] = *oldest;
  alarm_({true, name_ + "/stuck", "stuck",
          "reporter " + name_ + ": item " + key + " does not get through since " + to_rfc3339(failing.first) + ", after " +
              std::to_string(failing.tries) + " tries: " + failing.reason +
              (count > 1 ? "; so do " + std::to_string(count - 1) + " others" : "") +
              "; all is kept and tried again, at least every " + format_duration(options_.cap)});
}

/// The server said something about an item, so it can be reached; when it accepted our request, it knows us too.
void Dispatcher::server_answered(bool accepted) {
  last_contact_ = clock_.now();
  bool is_back = link_.answered();
  if (accepted) {
    ++answers_;
    last_error_.clear();
    if (std::exchange(credentials_refused_, false)) {
      is_back = true;
      alarm_({false, name_ + "/credentials", "credentials",
              "reporter " + name_ + ": the server accepts our credentials again"});
    }
  }
  if (!is_back) return;
  // An item that keeps failing while others get through is pulled forward ever less.
  const Moment now = timing_->now();
  outbox_.hasten([&](const Entry& entry) {
    constexpr unsigned most = 10;
    const Milliseconds limit{options_.link_back * (std::int64_t{1} << std::min(entry.pulls, most))};
    return std::max(entry.earliest, now + fraction(std::min(limit, options_.cap)));
  });
}

/// Sets an item and all that needs it aside.
std::string inherited(const std::string& needed, const std::string& reason) { return "needs " + needed + ", which is parked: " + reason; }

bool is_inherited(const std::string& reason) { return reason.starts_with("needs ") && reason.find(", which is parked: ") != reason.npos; }

void Dispatcher::park(const std::string& key, const std::string& reason, bool tell) {
  parking_.emplace(key, reason);
  std::size_t others = 0;
  fails_no_longer(key);
  for (const auto& doomed : outbox_.settle(key, false)) {
    fails_no_longer(doomed.key);
    const std::string& because = parking_.at(doomed.because);
    parking_.emplace(doomed.key, is_inherited(because) ? because : inherited(doomed.because, because));
    ++others;
  }
  last_error_ = reason;
  wake_.ring();
  if (!tell) return;
  alarm_({true, name_ + "/parked/" + key, "parked",
          "reporter " + name_ + ": item " + key + " is parked: " + reason +
              (others > 0 ? "; so are " + std::to_string(others) + " items that need it" : "")});
}

namespace {

/// The rows of these keys, of what they need and of what needs them, as far as it is parked too; in their order. An
/// error names a key that is not among the rows.
Result<std::vector<journal::Delivery>> related(std::vector<journal::Delivery> rows,
                                               const std::vector<std::string>& keys) {
  if (keys.empty()) return rows;
  std::map<std::string, std::vector<std::string>> relatives;
  for (const auto& row : rows) {
    relatives[row.item.key];
    for (const auto& need : row.item.needs) {
      relatives[row.item.key].push_back(need);
      relatives[need].push_back(row.item.key);
    }
  }
  std::set<std::string> parked, wanted;
  for (const auto& row : rows) parked.insert(row.item.key);
  std::vector<std::string> open = keys;
  for (const auto& key : keys)
    if (!parked.contains(key)) return Error{Fault::unavailable, "no item " + printable(key, 200) + " is parked"};
  while (!open.empty()) {
    const std::string key = std::move(open.back());
    open.pop_back();
    if (!parked.contains(key) || !wanted.insert(key).second) continue;
    const auto& more = relatives[key];
    open.insert(open.end(), more.begin(), more.end());
  }
  std::erase_if(rows, [&](const auto& row) { return !wanted.contains(row.item.key); });
  return rows;
}

}  // namespace

asio::awaitable<Result<std::size_t>> Dispatcher::retry_parked(std::vector<std::string> keys) {
  if (!prepared_) co_return Error{Fault::unavailable, "reporter " + name_ + " does not work yet: try again"};
  auto parked = deliveries_.parked(name_);
  if (!parked) co_return parked.error();
  auto rows = related(std::move(*parked), keys);
  if (!rows) co_return rows.error();
  std::size_t count = 0;
  for (const auto& row : *rows) {
    const std::string key = row.item.key;
    if (outbox_.contains(key) || parking_.contains(key)) continue;
    // As after an attempt with an uncertain end: what was refused once may be there in spite of it.
    const auto marked = co_await deliveries_.mark_attempting(name_, key);
    if (!marked) co_return marked.error();
    if (!prepared_ || outbox_.contains(key)) continue;
    alarm_({false, name_ + "/parked/" + key, "parked", "reporter " + name_ + ": item " + key + " is sent again"});
    const auto queued = enqueue(row.item, true);
    if (!queued) co_return queued.error();
    ++count;
  }
  wake_.ring();
  co_return count;
}

void Dispatcher::credentials_changed() {
  probe_at_ = timing_->now();
  wake_.ring();
}

void Dispatcher::try_now() {
  const Moment now = timing_->now();
  link_.try_at(now);
  outbox_.hasten([&](const Entry& entry) { return std::max(entry.earliest, now); });
  credentials_changed();
}

}  // namespace outpost::delivery
