#include "agent/daemon/clock_watch.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <limits>
#include <utility>

namespace outpost::daemon {
namespace {

using namespace std::chrono_literals;

/// Never due, but cancelled by whoever sets the clock (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET).
void arm(int timer) {
  itimerspec never{};
  never.it_value.tv_sec = std::numeric_limits<std::int32_t>::max();
  ::timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr);
}

}  // namespace

ClockWatch::ClockWatch(boost::asio::any_io_executor loop, const Clock& clock, std::function<void()> was_set)
    : ClockWatch{std::move(loop), clock, std::move(was_set),
                 ::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC), usual_pause} {}

ClockWatch::ClockWatch(boost::asio::any_io_executor loop, const Clock& clock, std::function<void()> was_set,
                       int descriptor, std::chrono::milliseconds pause)
    : timer_{loop},
      pause_timer_{loop},
      clock_{clock},
      was_set_{std::move(was_set)},
      pause_{pause},
      known_{booted_at()} {
  if (descriptor < 0) return;
  timer_.assign(descriptor);
  watch();
}

std::chrono::microseconds ClockWatch::booted_at() const {
  return clock_.now().time_since_epoch() - std::chrono::duration_cast<std::chrono::microseconds>(clock_.since_boot());
}

void ClockWatch::watch() {
  arm(timer_.native_handle());
  // Looked at after it was armed, so that nothing gets lost in between.
  const auto now = booted_at();
  if (now - known_ > 1s || known_ - now > 1s) {
    known_ = now;
    was_set_();
    pause_timer_.expires_after(pause_);
    pause_timer_.async_wait([this](boost::system::error_code error) {
      if (!error) watch();
    });
    return;
  }
  timer_.async_wait(boost::asio::posix::descriptor_base::wait_read, [this](boost::system::error_code error) {
    if (error) return;
    std::array<char, 8> ignored;  // Reading is what takes the cancellation back; it fails with ECANCELED.
    [[maybe_unused]] const auto size = ::read(timer_.native_handle(), ignored.data(), ignored.size());
    watch();
  });
}

}  // namespace outpost::daemon
