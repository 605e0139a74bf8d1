#pragma once

#include "agent/delivery/timing.hpp"
#include "agent/pipeline/reporter.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/array.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <stdexcept>

namespace outpost::test {

/// What one server holds and how it behaves; outlives the agents that talk to it.
struct FakeServer {
  struct Reply {
    pipeline::Outcome outcome;
    bool arrives = false;  ///< The server has the item, whatever the agent hears.
  };
  struct Received {
    std::string key;
    pipeline::Refs refs;
  };

  bool down = false;     ///< Nothing arrives, everything times out.
  bool refuses = false;  ///< The credentials.
  bool holds = false;    ///< Takes requests and does not answer them until the agent gives up.
  std::map<std::string, std::deque<Reply>> script;  ///< What the next sends of an item are told; then all goes well.
  std::map<std::string, unsigned> stubborn;         ///< Items that always fail.

  std::vector<Received> received;
  std::vector<std::string> sent, asked;  ///< Keys of all requests, in order.
  unsigned in_flight = 0, most_in_flight = 0;

  [[nodiscard]] std::size_t count(const std::string& key) const {
    return static_cast<std::size_t>(
        std::count_if(received.begin(), received.end(), [&](const auto& one) { return one.key == key; }));
  }
  [[nodiscard]] std::size_t place(const std::string& key) const {
    const auto found = std::find_if(received.begin(), received.end(), [&](const auto& one) { return one.key == key; });
    return static_cast<std::size_t>(found - received.begin());
  }
  [[nodiscard]] std::size_t requests() const { return sent.size() + asked.size(); }
};

/// A reporter for tests: an event's `data.items` says which items it gives rise to, {key, needs, follows} each;
/// `data.bug` makes it throw.
class FakeReporter final : public pipeline::Reporter {
 public:
  explicit FakeReporter(FakeServer& server) : server_{server} {}

  mutable std::map<job::Seq, std::string> stories;  ///< Of the event with this number: what the story before it said.

  [[nodiscard]] std::string_view type() const override { return "fake"; }

  [[nodiscard]] std::vector<journal::Item> expand(const job::Event& event, const job::Story& before) const override {
    if (job::flag_at(event.data, "bug")) throw std::runtime_error{"cannot make sense of it"};
    stories[event.seq] = std::to_string(before.last_seq) + " " + before.describe();
    std::vector<journal::Item> items;
    const auto* list = event.data.if_contains("items");
    if (!list || !list->is_array()) return items;
    for (const auto& entry : list->get_array()) {
      journal::Item item;
      item.key = job::text_at(entry.get_object(), "key");
      item.job_id = event.job_id;
      item.kind = "fake";
      item.needs = job::texts_at(entry.get_object(), "needs");
      item.follows = job::texts_at(entry.get_object(), "follows");
      items.push_back(std::move(item));
    }
    return items;
  }

  boost::asio::awaitable<pipeline::Outcome> send(const journal::Item& item, const pipeline::Refs& refs) override {
    server_.sent.push_back(item.key);
    server_.most_in_flight = std::max(server_.most_in_flight, ++server_.in_flight);
    const auto executor = co_await boost::asio::this_coro::executor;
    if (server_.holds) {
      boost::asio::steady_timer never{executor, boost::asio::steady_timer::time_point::max()};
      co_await never.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    co_await boost::asio::post(executor, boost::asio::use_awaitable);
    --server_.in_flight;
    co_return answer(item, refs);
  }

  boost::asio::awaitable<Result<std::optional<std::string>>> find(const journal::Item& item,
                                                                  const pipeline::Refs&) override {
    server_.asked.push_back(item.key);
    const auto executor = co_await boost::asio::this_coro::executor;
    co_await boost::asio::post(executor, boost::asio::use_awaitable);
    if (server_.down) co_return Error{Fault::retry_later, "connection refused"};
    if (server_.refuses) co_return Error{Fault::credentials, "401 for this remoteci"};
    if (server_.count(item.key) == 0) co_return std::optional<std::string>{};
    co_return std::optional<std::string>{"remote-" + item.key};
  }

 private:
  pipeline::Outcome answer(const journal::Item& item, const pipeline::Refs& refs) {
    if (server_.down) return pipeline::RetryAfter{std::nullopt, "connection refused"};
    if (server_.refuses) return pipeline::FixCredentials{"401 for this remoteci"};
    if (server_.stubborn.contains(item.key)) {
      ++server_.stubborn[item.key];
      return pipeline::RetryAfter{std::nullopt, "500 for this item"};
    }
    FakeServer::Reply reply{pipeline::Delivered{"remote-" + item.key}, true};
    if (auto& script = server_.script[item.key]; !script.empty()) {
      reply = script.front();
      script.pop_front();
    }
    if (reply.arrives) server_.received.push_back({item.key, refs});
    return reply.outcome;
  }

  FakeServer& server_;
};

/// Time that a test turns by hand.
class FakeTiming final : public delivery::Timing {
 public:
  struct State {
    delivery::Moment now{std::chrono::hours{1000}};
    delivery::Moment due = delivery::Moment::max();
    std::function<void()> ring;
    double random = 0.999;  ///< The longest wait.

    /// False when nobody waits for the time.
    bool step() {
      if (due == delivery::Moment::max()) return false;
      now = std::max(now, due);
      fire();
      return true;
    }
    void advance(std::chrono::milliseconds by) {
      now += by;
      if (due <= now) fire();
    }

   private:
    void fire() {
      due = delivery::Moment::max();
      if (const auto called = std::exchange(ring, nullptr)) called();
    }
  };
  explicit FakeTiming(State& state) : state_{state} {}

  [[nodiscard]] delivery::Moment now() const override { return state_.now; }
  [[nodiscard]] double random() override { return state_.random; }
  void ring_at(delivery::Moment when, std::function<void()> ring) override {
    state_.due = when;
    state_.ring = std::move(ring);
  }

 private:
  State& state_;
};

}  // namespace outpost::test
