#include "agent/delivery/timing.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <random>

namespace outpost::delivery {
namespace {

class SystemTiming final : public Timing {
 public:
  explicit SystemTiming(const boost::asio::any_io_executor& loop) : timer_{loop}, engine_{std::random_device{}()} {}

  [[nodiscard]] Moment now() const override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] double random() override { return std::uniform_real_distribution<double>{0.0, 1.0}(engine_); }

  void ring_at(Moment when, std::function<void()> ring) override {
    if (when == Moment::max()) {
      timer_.cancel();
      return;
    }
    timer_.expires_at(when);
    timer_.async_wait([ring = std::move(ring)](const boost::system::error_code& error) {
      if (!error) ring();
    });
  }

 private:
  boost::asio::steady_timer timer_;
  std::mt19937_64 engine_;
};

}  // namespace

std::unique_ptr<Timing> system_timing(const boost::asio::any_io_executor& loop) {
  return std::make_unique<SystemTiming>(loop);
}

Milliseconds backoff(unsigned failures, Milliseconds base, Milliseconds cap, double random) {
  constexpr unsigned most = 20;  // 2^20 times any base is beyond every cap, and far from an overflow.
  const Milliseconds limit = std::min(cap, base * (std::int64_t{1} << std::min(std::max(failures, 1U) - 1, most)));
  return Milliseconds{static_cast<std::int64_t>(static_cast<double>(limit.count()) * random)};
}

}  // namespace outpost::delivery
