#include "agent/pipeline/locks.hpp"

#include <algorithm>

namespace outpost::pipeline {

namespace asio = boost::asio;

/// A place in the queue: who leaves it, for whatever reason, has left nothing behind.
struct Locks::Place {
  Locks& locks;
  std::string name;
  std::shared_ptr<Waiter> waiter;
  bool arrived = false;

  ~Place() {
    if (arrived) return;
    if (waiter->has_it) locks.pass_on(name);
    else std::erase(locks.locks_[name].queue, waiter);
  }
};

asio::awaitable<bool> Locks::take(std::string name, std::string job, std::optional<std::chrono::milliseconds> limit) {
  auto& lock = locks_[name];
  if (lock.holder.empty() || lock.holder == job) {
    lock.holder = job;
    co_return true;
  }
  if (limit && limit->count() <= 0) co_return false;
  auto waiter = std::make_shared<Waiter>(Waiter{job, Wakeup{loop_}});
  lock.queue.push_back(waiter);
  Place place{*this, std::move(name), waiter};
  if (limit) co_await waiter->granted.wait(*limit);
  else co_await waiter->granted.wait();
  place.arrived = waiter->has_it;
  co_return place.arrived;
}

bool Locks::give_back(const std::string& name, const std::string& job) {
  const auto found = locks_.find(name);
  if (found == locks_.end() || found->second.holder != job) return false;
  pass_on(name);
  return true;
}

void Locks::give_back_all(const std::string& job) {
  std::vector<std::string> names;
  for (const auto& [name, lock] : locks_)
    if (lock.holder == job) names.push_back(name);
  for (const auto& name : names) pass_on(name);
}

void Locks::pass_on(const std::string& name) {
  const auto found = locks_.find(name);
  auto& lock = found->second;
  if (lock.queue.empty()) return static_cast<void>(locks_.erase(found));
  const auto next = lock.queue.front();
  lock.queue.pop_front();
  lock.holder = next->job;
  next->has_it = true;
  next->granted.notify();
}

boost::json::array Locks::list() const {
  boost::json::array all;
  for (const auto& [name, lock] : locks_) all.push_back(boost::json::object{{"name", name}, {"holder", lock.holder}, {"waiting", lock.queue.size()}});
  return all;
}

}  // namespace outpost::pipeline
