#include "agent/journal/bulletin.hpp"

#include <boost/asio/steady_timer.hpp>

#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace outpost::journal {

struct Bulletin::State {
  using Key = std::tuple<std::string, std::string, std::string>;  ///< Job, step, kind.

  State(const boost::asio::any_io_executor& loop, std::chrono::milliseconds pause) : timer{loop}, interval{pause} {}

  void tell() {
    const auto keys = std::exchange(untold, {});
    const auto now = listeners;
    for (const auto& key : keys) {
      const auto note = notes.find(key);
      if (note == notes.end()) continue;
      const Note told = note->second;  // A listener may post or withdraw.
      for (const auto& weak : now)
        if (const auto listener = weak.lock()) (*listener)(told);
    }
  }

  std::map<Key, Note> notes;
  std::set<Key> untold;
  std::vector<std::weak_ptr<Listener>> listeners;
  boost::asio::steady_timer timer;
  std::chrono::milliseconds interval;
};

Bulletin::Bulletin(const boost::asio::any_io_executor& loop, std::chrono::milliseconds interval)
    : state_{std::make_shared<State>(loop, interval)} {}

Bulletin::~Bulletin() = default;

void Bulletin::post(Note note) {
  State::Key key{note.job_id, note.step_id, note.kind};
  state_->notes.insert_or_assign(key, std::move(note));
  std::erase_if(state_->listeners, [](const auto& weak) { return weak.expired(); });
  if (state_->listeners.empty()) return;
  const bool waiting = !state_->untold.empty();
  state_->untold.insert(std::move(key));
  if (waiting) return;
  state_->timer.expires_after(state_->interval);
  state_->timer.async_wait([weak = std::weak_ptr{state_}](const boost::system::error_code& error) {
    const auto state = weak.lock();
    if (state && !error) state->tell();
  });
}

void Bulletin::withdraw(const std::string& job_id, const std::string& step_id) {
  std::erase_if(state_->notes, [&](const auto& entry) {
    return std::get<0>(entry.first) == job_id && (step_id.empty() || std::get<1>(entry.first) == step_id);
  });
}

std::vector<Note> Bulletin::of_job(const std::string& job_id) const {
  std::vector<Note> found;
  for (auto entry = state_->notes.lower_bound({job_id, "", ""}); entry != state_->notes.end(); ++entry) {
    if (std::get<0>(entry->first) != job_id) break;
    found.push_back(entry->second);
  }
  return found;
}

std::shared_ptr<void> Bulletin::subscribe(Listener listener) {
  auto token = std::make_shared<Listener>(std::move(listener));
  state_->listeners.push_back(token);
  return token;
}

}  // namespace outpost::journal
