#include "agent/control/dbus/shutdown_watch.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>

namespace outpost::control {

namespace asio = boost::asio;

namespace {

constexpr const char* logind = "org.freedesktop.login1";
constexpr const char* manager_path = "/org/freedesktop/login1";
constexpr const char* manager = "org.freedesktop.login1.Manager";

}  // namespace

ShutdownWatch::ShutdownWatch(asio::any_io_executor executor, Wishes wishes)
    : executor_{executor}, wishes_{std::move(wishes)}, changed_{executor}, bus_{executor} {}

asio::awaitable<void> ShutdownWatch::run() {
  std::string told;
  for (;;) {
    const auto watched = co_await watch();
    if (!watched && told != watched.error().message) {
      told = watched.error().message;
      wishes_.log("a shutdown of the machine is not announced to us: " + told);
    }
    asio::steady_timer pause{executor_, wishes_.retry};
    co_await pause.async_wait(asio::use_awaitable);
  }
}

/// Returns when the connection has broken.
asio::awaitable<Result<void>> ShutdownWatch::watch() {
  auto signals = bus_.watch(logind, manager_path, manager, "PrepareForShutdown", changed_);
  if (!signals) co_return signals.error();
  Lock delay, block;
  bool announced = false;
  while (!signals->is_broken()) {
    const auto going = co_await goes_down();
    if (!going) co_return going.error();
    if (*going != announced) {
      announced = *going;
      co_await wishes_.announced(announced);
      if (announced) delay.close();
    }
    if (!announced && !delay.is_open()) {
      auto taken = co_await inhibit("delay", "notes in its journal that the machine goes down");
      if (!taken) co_return taken.error();
      delay = std::move(*taken);
    }
    if (!announced) co_await refuse_or_not(block);
    co_await changed_.wait();
  }
  co_return Error{Fault::retry_later, "the connection to the system bus broke"};
}

asio::awaitable<void> ShutdownWatch::refuse_or_not(Lock& block) {
  std::string why = wishes_.must_not();
  if (why.empty()) {
    block.close();
    wishes_.cannot_refuse("");
  } else if (!block.is_open()) {
    auto taken = co_await inhibit("block", std::move(why));
    wishes_.cannot_refuse(taken ? "" : taken.error().message);
    if (taken) block = std::move(*taken);
  }
}

asio::awaitable<Result<ShutdownWatch::Lock>> ShutdownWatch::inhibit(std::string mode, std::string why) {
  auto request = bus_.method(logind, manager_path, manager, "Inhibit", "ssss", "shutdown", "Outpost", why.c_str(), mode.c_str());
  auto asking = bus_.call(std::move(request));
  const auto answer = co_await std::move(asking);
  if (!answer) co_return answer.error();
  int descriptor = -1;
  if (sd_bus_message_read(answer->get(), "h", &descriptor) < 0) co_return Error{Fault::malformed, "logind's answer cannot be read"};
  const int ours = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 3);  // That one goes with the message.
  if (ours < 0) co_return Error{Fault::retry_later, "no descriptor is free"};
  co_return Lock{ours};
}

asio::awaitable<Result<bool>> ShutdownWatch::goes_down() {
  auto request = bus_.method(logind, manager_path, "org.freedesktop.DBus.Properties", "Get", "ss", manager, "PreparingForShutdown");
  auto asking = bus_.call(std::move(request));
  const auto answer = co_await std::move(asking);
  if (!answer) co_return answer.error();
  int going = 0;
  if (sd_bus_message_read(answer->get(), "v", "b", &going) < 0) co_return Error{Fault::malformed, "logind's answer cannot be read"};
  co_return going != 0;
}

}  // namespace outpost::control
