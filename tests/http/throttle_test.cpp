#include "agent/http/throttle.hpp"

#include "world.hpp"

#include <set>
#include <stdexcept>

#include <boost/asio/experimental/awaitable_operators.hpp>

using namespace outpost;
using namespace outpost::http;
using namespace outpost::test;
using namespace std::chrono_literals;
using namespace boost::asio::experimental::awaitable_operators;
using boost::asio::awaitable;

namespace {

struct Taken {
  std::vector<std::size_t> shares;
  std::size_t bytes = 0;
};

awaitable<void> take(Throttle& throttle, std::size_t bytes, Taken& taken) {
  while (bytes > 0) {
    const auto share = co_await throttle.take(bytes);
    taken.shares.push_back(share);
    taken.bytes += share;
    bytes -= share;
  }
}

awaitable<bool> two(Throttle& throttle, std::size_t bytes, Taken& one, Taken& other) {
  co_await (take(throttle, bytes, one) && take(throttle, bytes, other));
  co_return true;
}

}  // namespace

TEST_CASE("a throttle gives all who share it no more than its rate, in equal turns") {
  Throttle throttle{1'000'000};
  Taken one, other;
  const auto begun = Throttle::Clock::now();
  CHECK(await(two(throttle, 200'000, one, other)));
  // 400000 bytes take 400 ms; the first share need not wait.
  CHECK(Throttle::Clock::now() - begun >= 290ms);
  CHECK(one.bytes == 200'000);
  CHECK(other.bytes == 200'000);
  // A share is a tenth of a second, so that nobody wakes up more often than that.
  CHECK(one.shares.size() == 2);
  CHECK(other.shares.size() == 2);
}

TEST_CASE("a slow throttle lets something through all the time") {
  Throttle throttle{10'000};
  Taken one, other;
  CHECK(await(two(throttle, 2'000, one, other)));
  CHECK(one.shares == std::vector<std::size_t>{1'000, 1'000});
}

TEST_CASE("uploads of all clients together stay below the rate, and being held back is not being slow") {
  ClientOptions options;
  options.uploads = std::make_shared<Throttle>(400'000);
  options.slow_rate = 1'000'000;  // Nobody may be that fast here.
  options.slow_window = 100ms;
  World world{options};
  auto second = make_beast_client(options);
  REQUIRE(second);
  const auto url = world.serve(echo);
  TemporaryDirectory directory;
  write_file(directory.path / "file", std::string(120'000, 'x'));
  const auto post = [&](Client& client) {
    Request request;
    request.method = "POST";
    request.url = url;
    request.body = FileRange{directory.path / "file", 0, 120'000};
    return client.send(std::move(request));
  };
  const auto both = [&]() -> awaitable<bool> {
    const auto [one, other] = co_await (post(*world.client) && post(**second));
    co_return one&& other && one->status == 200 && other->status == 200;
  };
  const auto begun = Throttle::Clock::now();
  CHECK(await(world.loop, both()));
  CHECK(Throttle::Clock::now() - begun >= 400ms);
}

TEST_CASE("several uploads at a time use as many connections, again and again") {
  World world;
  std::set<std::string> peers;
  std::size_t requests = 0;
  const auto url = world.serve([&](ServerRequest& request) -> awaitable<ServerResponse> {
    peers.insert(request.peer);
    ++requests;
    return echo(request);
  });
  TemporaryDirectory directory;
  write_file(directory.path / "file", "content");
  const auto some = [&]() -> awaitable<void> {
    for (int i = 0; i < 25; ++i) {
      Request request;
      request.method = "POST";
      request.url = url;
      request.body = FileRange{directory.path / "file", 0, 7};
      const auto response = co_await world.client->send(std::move(request));
      if (!response) throw std::runtime_error{response.error().message};
    }
  };
  const auto all = [&]() -> awaitable<bool> {
    co_await (some() && some() && some() && some());
    co_return true;
  };
  CHECK(await(world.loop, all()));
  CHECK(requests == 100);
  CHECK(peers.size() < 20);  // Four; more only when this machine stands still for longer than a connection is kept.
}
