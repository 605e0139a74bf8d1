// outpost top: the daemon's work on a terminal, as it goes.

#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/screen.hpp"
#include "agent/cli/top_facts.hpp"
#include "agent/cli/top_view.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <optional>
#include <thread>

namespace outpost::cli {

namespace {

constexpr auto last_answer = std::chrono::milliseconds{200};  ///< How long the end waits for it.

/// Asks the daemon in a thread of its own, so that a daemon that does not answer keeps nobody from leaving.
class Asking {
 public:
  Asking(std::filesystem::path socket, std::chrono::milliseconds interval)
      : asker_{std::move(socket)},
        interval_{interval},
        news_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)},
        thread_{[this] { work(); }} {}

  /// Ends it; a request on its way is waited for shortly. False: it still is, and so this object has to stay.
  [[nodiscard]] bool end() {
    std::unique_lock lock{mutex_};
    ending_ = true;
    changed_.notify_all();
    if (!changed_.wait_for(lock, last_answer, [this] { return ended_; })) {
      thread_.detach();
      return false;
    }
    lock.unlock();
    thread_.join();
    return true;
  }

  /// Becomes readable when there are other facts.
  [[nodiscard]] int news() const { return news_.get(); }
  [[nodiscard]] TopFacts facts() {
    std::uint64_t count = 0;
    static_cast<void>(::read(news_.get(), &count, sizeof count));
    const std::lock_guard lock{mutex_};
    return facts_;
  }
  void ask_now(std::size_t chosen, std::size_t log_lines) {
    const std::lock_guard lock{mutex_};
    chosen_ = chosen;
    log_lines_ = log_lines;
    asked_ = true;
    changed_.notify_all();
  }

 private:
  void work() {
    TopFacts facts;
    std::unique_lock lock{mutex_};
    while (!ending_) {
      const auto chosen = chosen_, log_lines = log_lines_;
      asked_ = false;
      lock.unlock();
      asker_.ask(facts, chosen, log_lines);
      lock.lock();
      facts_ = facts;
      const std::uint64_t one = 1;
      static_cast<void>(::write(news_.get(), &one, sizeof one));
      changed_.wait_for(lock, interval_, [this] { return ending_ || asked_; });
    }
    ended_ = true;
    changed_.notify_all();
  }

  TopAsker asker_;
  std::chrono::milliseconds interval_;
  Descriptor news_;
  std::mutex mutex_;
  std::condition_variable changed_;
  TopFacts facts_;
  std::size_t chosen_ = 0, log_lines_ = 24;
  bool asked_ = false, ending_ = false, ended_ = false;
  std::thread thread_;  ///< The last: it uses all of the above.
};

bool is_next(std::string_view key) { return key == "\t" || key == "j" || key == "n" || key == "\x1b[B"; }
bool is_quit(std::string_view key) { return key == "q" || key == "Q" || key == "\x04"; }

/// Shows it until somebody has enough; the signal that ended it, or 0.
int show(Screen& screen, Asking& asking) {
  std::size_t chosen = 0;
  TopFacts facts;
  facts.now = SystemClock{}.now();
  asking.ask_now(chosen, most_log_lines(screen.size()));
  for (;;) {
    screen.show(top_view(facts, screen.size(), screen.unicode()));
    const auto event = screen.wait(asking.news(), std::chrono::minutes{1});
    using Kind = Screen::Event::Kind;
    if (event.kind == Kind::ended) return event.signal;
    if (event.kind == Kind::woken) facts = asking.facts();
    if (event.kind == Kind::resized) asking.ask_now(chosen, most_log_lines(screen.size()));
    if (event.kind != Kind::key) continue;
    if (is_quit(event.key)) return 0;
    if (is_next(event.key)) asking.ask_now(++chosen, most_log_lines(screen.size()));
  }
}

}  // namespace

int show_top(const DaemonOptions& daemon, std::chrono::milliseconds interval) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  int signal = 0;
  bool over = true;
  {
    auto screen = Screen::open();
    if (!screen)
      return fail(
          Error{Fault::malformed, "outpost top needs a terminal: " + screen.error().message + "; see: outpost status"},
          exit_usage);
    auto asking = std::make_unique<Asking>(*socket, interval);
    signal = show(*screen, *asking);
    over = asking->end();
    if (!over) static_cast<void>(asking.release());  // Its thread uses it until the process ends.
  }
  if (signal != 0) {
    // As if it had never been caught, so that who started us sees what ended us.
    ::signal(signal, SIG_DFL);
    ::raise(signal);
  }
  if (!over) std::_Exit(exit_ok);
  return exit_ok;
}

}  // namespace outpost::cli
