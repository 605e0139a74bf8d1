#include "bench/delay_proxy.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <atomic>
#include <deque>
#include <thread>

namespace outpost::bench {

namespace asio = boost::asio;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto tuple = asio::as_tuple(asio::use_awaitable);

/// One direction of a connection: what is read, and when it is due at the other end.
struct Line {
  explicit Line(const asio::any_io_executor& loop) : filled{loop, Clock::time_point::max()} {}
  std::deque<std::pair<Clock::time_point, std::string>> pieces;
  bool ended = false;
  asio::steady_timer filled;
};

asio::awaitable<void> listen_to(std::shared_ptr<tcp::socket> from, std::shared_ptr<Line> line,
                                std::chrono::milliseconds delay) {
  std::string bytes(64UL * 1024, '\0');
  for (;;) {
    const auto [error, count] = co_await from->async_read_some(asio::buffer(bytes), tuple);
    if (!error) line->pieces.emplace_back(Clock::now() + delay, bytes.substr(0, count));
    line->ended = static_cast<bool>(error);
    line->filled.cancel();
    if (error) co_return;
  }
}

asio::awaitable<void> pass_on(std::shared_ptr<tcp::socket> to, std::shared_ptr<Line> line) {
  asio::steady_timer due{co_await asio::this_coro::executor};
  for (;;) {
    if (line->pieces.empty()) {
      if (line->ended) break;
      co_await line->filled.async_wait(tuple);
      continue;
    }
    const auto [when, bytes] = std::move(line->pieces.front());
    line->pieces.pop_front();
    due.expires_at(when);
    co_await due.async_wait(tuple);
    const auto [error, count] = co_await asio::async_write(*to, asio::buffer(bytes), tuple);
    if (error) break;
  }
  boost::system::error_code ignored;
  to->shutdown(tcp::socket::shutdown_send, ignored);
}

}  // namespace

struct DelayProxy::State {
  asio::io_context loop{1};
  tcp::acceptor acceptor{loop, tcp::endpoint{asio::ip::address_v4::loopback(), 0}};
  tcp::endpoint server;
  std::chrono::milliseconds delay{};
  std::atomic<unsigned> connections{0};
  std::thread thread;

  asio::awaitable<void> accept() {
    for (;;) {
      auto [error, accepted] = co_await acceptor.async_accept(tuple);
      if (error) co_return;
      ++connections;
      auto client = std::make_shared<tcp::socket>(std::move(accepted));
      auto upstream = std::make_shared<tcp::socket>(loop);
      const auto [failed] = co_await upstream->async_connect(server, tuple);
      if (failed) continue;
      client->set_option(tcp::no_delay{true});
      upstream->set_option(tcp::no_delay{true});
      auto there = std::make_shared<Line>(loop.get_executor()), back = std::make_shared<Line>(loop.get_executor());
      asio::co_spawn(loop, listen_to(client, there, delay), asio::detached);
      asio::co_spawn(loop, pass_on(upstream, there), asio::detached);
      asio::co_spawn(loop, listen_to(upstream, back, delay), asio::detached);
      asio::co_spawn(loop, pass_on(client, back), asio::detached);
    }
  }
};

DelayProxy::DelayProxy(std::uint16_t port, std::chrono::milliseconds one_way) : state_{std::make_unique<State>()} {
  state_->server = {asio::ip::address_v4::loopback(), port};
  state_->delay = one_way;
  url_ = "http://127.0.0.1:" + std::to_string(state_->acceptor.local_endpoint().port());
  asio::co_spawn(state_->loop, state_->accept(), asio::detached);
  state_->thread = std::thread{[this] { state_->loop.run(); }};
}

DelayProxy::~DelayProxy() {
  state_->loop.stop();
  state_->thread.join();
}

unsigned DelayProxy::connections() const { return state_->connections; }

}  // namespace outpost::bench
