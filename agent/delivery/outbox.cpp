#include "agent/delivery/outbox.hpp"

#include <algorithm>
#include <tuple>

namespace outpost::delivery {

bool Outbox::ByTurn::operator()(const Entry* left, const Entry* right) const {
  return std::tie(left->failures, left->order) < std::tie(right->failures, right->order);
}

bool Outbox::ByTime::operator()(const Entry* left, const Entry* right) const {
  return std::tie(left->due, left->order) < std::tie(right->due, right->order);
}

void Outbox::add(std::string key, std::string job_id, bool uncertain, const Blockers& blockers) {
  if (contains(key)) return;
  Entry entry;
  entry.key = key;
  entry.job_id = std::move(job_id);
  entry.order = ++next_order_;
  entry.uncertain = uncertain;
  entry.blockers = blockers.needs.size() + blockers.follows.size();
  for (const auto& need : blockers.needs) waiting_for_[need].push_back({key, true, entry.order});
  for (const auto& before : blockers.follows) waiting_for_[before].push_back({key, false, entry.order});
  ++per_job_[entry.job_id];
  Entry& kept = entries_.emplace(std::move(key), std::move(entry)).first->second;
  if (kept.blockers == 0) {
    kept.place = Entry::Place::ready;
    ready_.insert(&kept);
  }
}

Outbox::Entry* Outbox::find(const std::string& key) {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

Outbox::Entry* Outbox::take(Moment now) {
  while (!delayed_.empty() && (*delayed_.begin())->due <= now) {
    Entry* entry = *delayed_.begin();
    delayed_.erase(delayed_.begin());
    entry->place = Entry::Place::ready;
    ready_.insert(entry);
  }
  if (ready_.empty()) return nullptr;
  Entry* entry = *ready_.begin();
  ready_.erase(ready_.begin());
  entry->place = Entry::Place::taken;
  return entry;
}

void Outbox::put_back(Entry& entry, Moment due) {
  if (entry.place != Entry::Place::taken) return;
  entry.due = due;
  entry.place = Entry::Place::delayed;
  delayed_.insert(&entry);
}

void Outbox::hasten(const std::function<Moment(const Entry&)>& due_of) {
  std::set<Entry*, ByTime> again;
  for (Entry* entry : delayed_) {
    if (entry->failures > 0) entry->due = std::min(entry->due, due_of(*entry));
    again.insert(entry);
  }
  delayed_ = std::move(again);
}

std::vector<Outbox::Doomed> Outbox::settle(const std::string& key, bool delivered) {
  std::vector<Doomed> doomed;
  struct Settled {
    std::string key;
    bool delivered;
  };
  std::vector<Settled> settled{{key, delivered}};
  while (!settled.empty()) {
    const Settled one = std::move(settled.back());
    settled.pop_back();
    if (Entry* entry = find(one.key)) forget(*entry);
    auto edges = waiting_for_.extract(one.key);
    if (edges.empty()) continue;
    for (const Edge& edge : edges.mapped()) {
      Entry* dependent = find(edge.dependent);
      if (!dependent || dependent->order != edge.order) continue;
      if (one.delivered || !edge.need) {
        unblock(*dependent);
      } else {
        doomed.push_back({edge.dependent, one.key});
        forget(*dependent);
        settled.push_back({edge.dependent, false});
      }
    }
  }
  return doomed;
}

void Outbox::unblock(Entry& entry) {
  if (--entry.blockers > 0) return;
  entry.place = Entry::Place::ready;
  ready_.insert(&entry);
}

void Outbox::forget(Entry& entry) {
  if (entry.place == Entry::Place::ready) ready_.erase(&entry);
  if (entry.place == Entry::Place::delayed) delayed_.erase(&entry);
  const auto count = per_job_.find(entry.job_id);
  if (--count->second == 0) per_job_.erase(count);
  entries_.erase(entries_.find(entry.key));
}

Moment Outbox::next() const {
  if (!ready_.empty()) return Moment::min();
  return delayed_.empty() ? Moment::max() : (*delayed_.begin())->due;
}

std::size_t Outbox::of_job(const std::string& job_id) const {
  const auto found = per_job_.find(job_id);
  return found == per_job_.end() ? 0 : found->second;
}

void Outbox::clear() {
  ready_.clear();
  delayed_.clear();
  waiting_for_.clear();
  per_job_.clear();
  entries_.clear();
}

}  // namespace outpost::delivery
