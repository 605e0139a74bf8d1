#pragma once

#include "agent/delivery/dispatcher.hpp"
#include "agent/job/event_types.hpp"
#include "fakes/fake_journal.hpp"
#include "fakes/fake_reporter.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

namespace outpost::test {

struct ItemSpec {
  std::string key;
  std::vector<std::string> needs, follows;
};

inline job::Event event(std::string_view type, std::string job_id, const std::vector<ItemSpec>& items = {}) {
  job::Event made;
  made.type = type;
  made.job_id = std::move(job_id);
  boost::json::array list;
  for (const auto& item : items) {
    boost::json::array needs(item.needs.begin(), item.needs.end()), follows(item.follows.begin(), item.follows.end());
    list.push_back(
        boost::json::object{{"key", item.key}, {"needs", std::move(needs)}, {"follows", std::move(follows)}});
  }
  made.data["items"] = std::move(list);
  return made;
}

inline job::Event queued(std::string job_id, const std::vector<ItemSpec>& items = {}, const char* reporter = "fake") {
  job::Event made = event(job::event::job_queued, std::move(job_id), items);
  made.data["reporters"] = boost::json::array{"somebody", reporter};
  return made;
}

/// An agent with one dispatcher, its disk and its server. Nothing here depends on real time: poll() runs the loop until
/// nothing is ready.
struct Site {
  FakeJournal journal;
  FakeServer server;
  FakeTiming::State time;
  FakeReporter reporter{server};
  SystemClock clock;
  delivery::Options options;
  std::vector<delivery::Alarm> alarms;
  std::unique_ptr<boost::asio::io_context> loop = std::make_unique<boost::asio::io_context>();
  std::unique_ptr<delivery::Dispatcher> dispatcher;
  boost::asio::cancellation_signal stop;
  bool running = false;

  ~Site() { kill(); }

  void start() {
    dispatcher = std::make_unique<delivery::Dispatcher>(
        "fake", journal, journal, reporter, clock, loop->get_executor(), std::make_unique<FakeTiming>(time), options,
        [this](const delivery::Alarm& alarm) { alarms.push_back(alarm); });
    running = true;
    boost::asio::co_spawn(
        *loop, dispatcher->run(),
        boost::asio::bind_cancellation_slot(stop.slot(), [this](std::exception_ptr) { running = false; }));
    poll();
  }

  /// As kill -9 does: nothing is told, nothing is written.
  void kill() {
    dispatcher.reset();
    loop = std::make_unique<boost::asio::io_context>();
    time.due = delivery::Moment::max();
    time.ring = nullptr;
    running = false;
    server.in_flight = 0;
  }

  void poll() {
    loop->restart();
    while (loop->poll() > 0) {
    }
  }
  void advance(std::chrono::milliseconds by) {
    time.advance(by);
    poll();
  }
  void append(job::Event draft) {
    std::vector<job::Event> drafts{std::move(draft)};
    boost::asio::co_spawn(*loop, journal.append(std::move(drafts)), boost::asio::detached);
    poll();
  }
  bool settled(const std::string& job_id = {}) {
    bool done = false;
    boost::asio::cancellation_signal enough;
    auto wait = job_id.empty() ? dispatcher->idle() : dispatcher->wait_until_settled(job_id);
    boost::asio::co_spawn(
        *loop, std::move(wait),
        boost::asio::bind_cancellation_slot(enough.slot(), [&](std::exception_ptr error) { done = !error; }));
    poll();
    const bool settled = done;
    enough.emit(boost::asio::cancellation_type::terminal);
    poll();
    return settled;
  }
  /// Turns the clock from one thing to do to the next until all is settled.
  bool settle(unsigned steps = 1000) {
    poll();
    while (!settled()) {
      if (steps-- == 0 || !time.step()) return false;
      poll();
    }
    return true;
  }
  journal::Delivery row(const std::string& key) { return journal.get("fake", key).value().value(); }
  [[nodiscard]] std::vector<std::string> received() const {
    std::vector<std::string> keys;
    for (const auto& one : server.received) keys.push_back(one.key);
    return keys;
  }
};

}  // namespace outpost::test
