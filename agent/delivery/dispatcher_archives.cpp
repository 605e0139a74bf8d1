// What travels in another way too: the part of Dispatcher that archives need.

#include "agent/delivery/dispatcher.hpp"
#include "agent/delivery/mark_all.hpp"

#include <utility>

namespace outpost::delivery {

namespace asio = boost::asio;

asio::awaitable<Result<void>> Dispatcher::caught_up() {
  const job::Seq upto = journal_.last();
  for (;;) {
    const auto seen = changed_.count();
    if (prepared_ && expanded_ >= upto && expansions_.empty() && parking_.empty()) co_return Result<void>{};
    if (journal_failures_ > 0) co_return Error{Fault::retry_later, last_error_};
    co_await changed_.wait(seen);
  }
}

asio::awaitable<Result<void>> Dispatcher::mark_travelling(std::vector<std::string> keys) {
  // Before the first row is written: an attempt that ends meanwhile must not make its item certain.
  for (const auto& key : keys)
    if (Entry* entry = outbox_.find(key)) entry->uncertain = entry->travelling = true;
  co_return co_await mark_all_attempting(deliveries_, name_, std::move(keys));
}

asio::awaitable<Result<bool>> Dispatcher::mark_arrived(std::string key, std::string remote_ref) {
  const auto row = deliveries_.get(name_, key);
  if (!row) co_return row.error();
  if (!*row || (*row)->state == journal::DeliveryState::delivered || (*row)->state == journal::DeliveryState::parked)
    co_return false;
  const std::string known = key;
  const auto marked = co_await deliveries_.mark_delivered(name_, std::move(key), std::move(remote_ref));
  if (!marked) co_return marked.error();
  // One that is on its way just now settles itself: it is found at the server.
  if (!attempts_.contains(known)) {
    outbox_.settle(known, true);
    fails_no_longer(known);
  }
  wake_.ring();
  changed_.ring();
  co_return true;
}

}  // namespace outpost::delivery
