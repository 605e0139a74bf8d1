// Restarts of the machine that a job asks for, seen from the agent: whom it waits for, what is claimed meanwhile.
#include "daemon/agent_world.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

using namespace outpost;
using namespace outpost::test;
namespace asio = boost::asio;
namespace event = job::event;

namespace {

/// Jobs that may have the machine restarted: the first hook of install asks for it, others wait if they shall.
struct RebootingWorld : AgentWorld {
  RebootingWorld() {
    boot_id = journal.boot_id = "boot-1";
    settings.slots = 3;
    settings.jobs[0].plugins = {"acme"};
    settings.jobs[0].reboots = {{"acme"}, 1};
    agent_options.restart_interval = std::chrono::milliseconds{1};
    agent_options.restart_machine = [this]() -> asio::awaitable<Result<void>> {
      ++asked;
      if (asked <= held_up) co_return Error{Fault::retry_later, "an inhibitor"};
      co_return Result<void>{};
    };
    steps.says = [this](const std::string& id, pipeline::StepCalls& calls) -> asio::awaitable<void> {
      if (id != "install.acme") co_return;
      if (!std::exchange(asks, false)) {
        if (!others_hang) co_return;
        hangs = true;
        asio::steady_timer never{co_await asio::this_coro::executor, asio::steady_timer::time_point::max()};
        co_await never.async_wait(asio::use_awaitable);
      }
      pipeline::StepCall call{"00000001", "reboot", {{"why", "new kernel"}}, Descriptor{}};
      auto answering = calls.answer(std::move(call));
      const auto answer = co_await std::move(answering);
      CHECK(answer);
    };
  }
  bool asks = true, others_hang = false, hangs = false;
  int asked = 0, held_up = 0;
};

}  // namespace

TEST_CASE("a job that has the machine restarted is left to the agent of the next boot, which ends it") {
  RebootingWorld world;
  world.held_up = 3;
  world.start();
  world.until([&] { return world.asked == 4; });
  world.stop();
  world.until_ended();
  CHECK(world.state(0) == "running: install");
  CHECK_FALSE(world.story(0).cancel_requested);
  world.boot_id = world.journal.boot_id = "boot-2";
  world.start();
  world.until([&] { return world.story(0).ended; });
  CHECK(world.state(0) == "success");
  CHECK(world.asked == 4);
}

TEST_CASE("the machine is not restarted while another job runs, and nothing is claimed until it was") {
  RebootingWorld world;
  world.settings.jobs.push_back(world.settings.jobs[0]);
  world.settings.jobs[1].name = "weekly";
  world.others_hang = true;
  world.start();
  world.until([&] { return world.count(event::reboot_requested) == 1 && world.hangs; });
  world.settle();
  CHECK(world.asked == 0);
  world.offer({"2", "1"});
  world.poll();
  CHECK(world.job_ids().size() == 4);
  const auto waiting = world.agent->status().at("jobs").at("waiting").as_array();
  REQUIRE(waiting.size() == 2);
  CHECK(job::text_at(waiting[0].as_object(), "waits_for").find("waits for a restart of the machine") != std::string::npos);
  const std::size_t other = world.story(0).reboots == 1 ? 1 : 0;
  CHECK(world.cancel(world.job_ids()[other], "make room"));
  world.until([&] { return world.asked == 1; });
  CHECK(world.state(other) == "killed");
  CHECK(world.count(event::claim_requested) == 2);
}
