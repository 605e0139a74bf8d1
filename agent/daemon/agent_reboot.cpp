// Restarts of the machine that a job asks for: nothing more is claimed, and no other job is interrupted for it.

#include "agent/daemon/agent.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace outpost::daemon {

namespace asio = boost::asio;

/// A job that waits for a restart of the machine, for as long as it lives, which can be longer than the agent.
struct Agent::RestartWish {
  RestartWish(std::shared_ptr<RestartWishes> all, std::string job, const asio::any_io_executor& executor) : wishes{std::move(all)}, job_id{std::move(job)} {
    (*wishes)[job_id] = std::make_shared<Wakeup>(executor);
  }
  ~RestartWish() { wishes->erase(job_id); }
  RestartWish(const RestartWish&) = delete;
  RestartWish& operator=(const RestartWish&) = delete;

  std::shared_ptr<RestartWishes> wishes;
  std::string job_id;
};

/// Who waits for the end of jobs looks again, and jobs that wait to be claimed are or are not any more.
void Agent::restart_wishes_changed() {
  for (const auto& [id, wakeup] : *restart_wishes_) wakeup->notify();
  schedule_wakeup_.notify();
  finished_wakeup_.notify();
}

/// A restart interrupts none that waits for one, and a claim that is under way is found again.
std::size_t Agent::at_work() const {
  return static_cast<std::size_t>(std::count_if(running_.begin(), running_.end(), [this](const auto& one) {
    return !restart_wishes_->contains(one.first) && !one.second->story().claim.external_ref.empty();
  }));
}

asio::awaitable<Result<void>> Agent::restart_machine(std::string job_id, std::string why) {
  const RestartWish wish{restart_wishes_, job_id, executor_};
  const auto wakeup = restart_wishes_->at(job_id);
  restart_wishes_changed();
  ports_.logger.notice("job " + job_id + " waits for a restart of the machine: " + why);
  while (at_work() > 0 || gate_.is_stopped()) co_await wakeup->wait();  // Who stops the agent has not asked for a restart.
  asio::steady_timer pause{executor_};
  const auto give_up = std::chrono::steady_clock::now() + options_.restart_patience;
  for (;;) {
    const auto begun = co_await options_.restart_machine();
    if (begun) break;
    if (begun.error().fault != Fault::retry_later || std::chrono::steady_clock::now() >= give_up) co_return begun.error();
    pause.expires_after(options_.restart_interval);
    co_await pause.async_wait(asio::use_awaitable);
  }
  ports_.logger.notice("the machine is restarted for job " + job_id);
  pause.expires_after(options_.restart_patience);
  co_await pause.async_wait(asio::use_awaitable);
  co_return Error{Fault::unavailable, "it has begun to go down, and is still there"};
}

}  // namespace outpost::daemon
