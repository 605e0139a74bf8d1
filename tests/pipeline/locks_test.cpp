#include "agent/pipeline/locks.hpp"

#include "support/catch.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>

#include <string>
#include <vector>

using namespace outpost;
using pipeline::Locks;
namespace asio = boost::asio;

namespace {

struct World {
  asio::io_context loop;
  Locks locks{loop.get_executor()};
  std::vector<std::string> got;  ///< Jobs, in the order in which they got the lock; "job!" for one that gave up.

  asio::awaitable<void> take(std::string job, std::optional<std::chrono::milliseconds> limit) {
    const bool has_it = co_await locks.take("strip", job, limit);
    got.push_back(has_it ? job : job + "!");
  }
  void ask(const std::string& job, std::optional<std::chrono::milliseconds> limit = {}) {
    asio::co_spawn(loop, take(job, limit), asio::detached);
    loop.restart();
    loop.poll();
  }
  void settle() {
    loop.restart();
    loop.poll();
  }
};

}  // namespace

TEST_CASE("a lock is one job's, and that one's as often as it asks") {
  World world;
  world.ask("a");
  world.ask("a");
  world.ask("b", std::chrono::milliseconds{0});
  CHECK(world.got == std::vector<std::string>{"a", "a", "b!"});
  CHECK(world.locks.list().at(0).at("holder") == "a");
}

TEST_CASE("a lock is free when its job has ended, and goes to those that wait in their order") {
  World world;
  for (const char* job : {"a", "b", "c"}) world.ask(job);
  CHECK(world.locks.list().at(0).at("waiting") == 2);
  CHECK_FALSE(world.locks.give_back("strip", "b"));
  world.locks.give_back_all("a");
  world.settle();
  CHECK(world.got == std::vector<std::string>{"a", "b"});
  CHECK(world.locks.give_back("strip", "b"));
  world.settle();
  CHECK(world.got == std::vector<std::string>{"a", "b", "c"});
  world.locks.give_back_all("c");
  CHECK(world.locks.list().empty());
}

TEST_CASE("who does not wait any more is passed over") {
  World world;
  world.ask("a");
  asio::cancellation_signal stop;
  asio::co_spawn(world.loop, world.take("killed", {}), asio::bind_cancellation_slot(stop.slot(), asio::detached));
  world.settle();
  world.ask("c");
  stop.emit(asio::cancellation_type::terminal);
  world.settle();
  world.locks.give_back_all("a");
  world.settle();
  CHECK(world.got.back() == "c");
  CHECK(world.locks.list().at(0).at("holder") == "c");
}

TEST_CASE("who waits with a limit gives up, and the lock stays whose it was") {
  World world;
  world.ask("a");
  asio::co_spawn(world.loop, world.take("b", std::chrono::milliseconds{1}), asio::detached);
  world.loop.restart();
  world.loop.run();
  CHECK(world.got == std::vector<std::string>{"a", "b!"});
  world.locks.give_back_all("a");
  CHECK(world.locks.list().empty());
}

TEST_CASE("what the journal says of a lock counts before anybody asks") {
  World world;
  world.locks.restore("strip", "before");
  world.ask("a", std::chrono::milliseconds{0});
  CHECK(world.got == std::vector<std::string>{"a!"});
}
