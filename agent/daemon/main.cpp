// outpostd: reads its configuration, puts the parts together, and works until it is told to stop.

#include "agent/base/clock.hpp"
#include "agent/base/text.hpp"
#include "agent/daemon/composition.hpp"
#include "agent/daemon/service_notifier.hpp"
#include "agent/process/local/local_command_runner.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <unistd.h>

namespace {

namespace asio = boost::asio;
using namespace outpost;
using namespace asio::experimental::awaitable_operators;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// The exit statuses of outpostd; systemd restarts it after any but these.
constexpr int exit_ok = 0;
constexpr int exit_failed = 1;
constexpr int exit_configuration = 5;

/// Nothing that runs is left, and nothing is closed: the next start does that.
asio::awaitable<void> stop_at_once(daemon::Composition& composition) {
  composition.logger().warning("stopping at once: what was running will be settled at the next start");
  co_await composition.end_steps();
  ::_exit(exit_failed);
}

/// How long systemd waits from the signal on; nothing: as long as we like.
struct StopTime {
  Clock::time_point signalled;
  std::optional<milliseconds> limit;

  /// Jobs that have not ended by then are cancelled: the rest is for their grace and their closing stages.
  [[nodiscard]] Clock::time_point cancels_at() const {
    return limit ? signalled + *limit - std::min<milliseconds>(*limit / 2, std::chrono::minutes{5}) : Clock::time_point::max();
  }
  /// What still runs by then is killed.
  [[nodiscard]] Clock::time_point kills_at() const { return signalled + *limit - std::min<milliseconds>(*limit / 4, std::chrono::seconds{10}); }
};

/// systemd would kill us, and leave running what it does not know to be ours.
asio::awaitable<void> stop_in_time(daemon::Composition& composition, StopTime time) {
  if (!time.limit) co_return;
  asio::steady_timer timer{co_await asio::this_coro::executor, time.kills_at()};
  co_await timer.async_wait(asio::use_awaitable);
  composition.logger().warning("the time to stop is nearly over (TimeoutStopSec=), and not all jobs are closed");
  co_await stop_at_once(composition);
}

/// Jobs may end by themselves as long as there is time, or until another signal comes.
asio::awaitable<void> let_jobs_end(asio::signal_set& signals, daemon::Composition& composition, daemon::ServiceNotifier& notifier, StopTime time) {
  const std::size_t jobs = composition.agent().at_work();
  if (jobs == 0) co_return;
  std::string waiting = "waiting ";
  if (time.limit) waiting += "until " + to_rfc3339(SystemClock{}.now() + std::chrono::duration_cast<milliseconds>(time.cancels_at() - Clock::now())) + " ";
  waiting += "for the end of " + std::to_string(jobs) + (jobs == 1 ? " job" : " jobs");
  composition.logger().notice("stopping (SIGTERM): nothing more is claimed; " + waiting + ", then what runs is cancelled; once more to cancel it now");
  notifier.stopping(waiting);
  auto ending = composition.agent().finish_jobs("stopping (SIGTERM): " + waiting, time.cancels_at());
  auto impatience = signals.async_wait(asio::use_awaitable);
  co_await (std::move(ending) || std::move(impatience));
}

/// SIGTERM and SIGINT stop it in good order; another one at once. SIGTERM to a service lets its jobs end before. When
/// systemd is about to start us again, steps that are units of their own go on meanwhile; so they do when it cannot be
/// asked, because then nobody could end them either, and the next start takes them up again.
asio::awaitable<void> watch_signals(asio::signal_set& signals, daemon::Composition& composition, daemon::ServiceNotifier& notifier) {
  const int first = co_await signals.async_wait(asio::use_awaitable);
  StopTime time{Clock::now(), std::nullopt};
  const std::string name = first == SIGTERM ? "SIGTERM" : "SIGINT";
  const auto may_leave = co_await composition.may_leave_steps();
  if (may_leave.value_or(true)) {
    const std::string why = may_leave ? "to be started again" : "without knowing for what, because systemd cannot be asked";
    composition.logger().notice("stopping (" + name + ") " + why + ": steps go on, and the next start goes on with them");
    notifier.stopping(why);
    auto leaving = composition.agent().leave(name + ", " + why);
    co_await std::move(leaving);
    co_await composition.end_telemetry();
    ::_exit(exit_ok);
  }
  time.limit = co_await composition.stop_limit();
  if (first == SIGTERM && composition.is_service()) co_await let_jobs_end(signals, composition, notifier, time);
  composition.logger().notice("stopping (" + name + "): running jobs are cancelled and closed; once more to stop at once");
  notifier.stopping("closing running jobs");
  composition.agent().stop(name);
  asio::co_spawn(co_await asio::this_coro::executor, stop_in_time(composition, time), asio::detached);
  co_await signals.async_wait(asio::use_awaitable);
  co_await stop_at_once(composition);
}

/// SIGHUP: as `outpost reload`. What is wrong is in the log.
asio::awaitable<void> watch_hangups(asio::signal_set& signals, daemon::Composition& composition) {
  for (;;) {
    co_await signals.async_wait(asio::use_awaitable);
    static_cast<void>(co_await composition.reload());
  }
}

/// Until the agent has stopped. What promotes goes on meanwhile, and is ended then; the collector gets the rest.
asio::awaitable<void> run_to_the_end(daemon::Composition& composition) {
  co_await composition.agent().run();
  co_await composition.end_promotions();
  co_await composition.end_telemetry();
}

int run_daemon(daemon::InForce configuration) {
  const daemon::Logger logger;
  asio::io_context loop{1};
  auto composition = daemon::Composition::make(std::move(configuration), loop.get_executor());
  if (!composition) {
    logger.error(composition.error().message);
    // What is refused stays so until somebody changes it.
    return composition.error().fault == Fault::refused ? exit_configuration : exit_failed;
  }
  daemon::Composition& parts = **composition;
  if (auto restored = parts.agent().restore(); !restored) {
    logger.error(restored.error().message);
    return exit_failed;
  }
  if (auto settled = parts.settle_configuration(); !settled) {
    for (const auto& line : split(settled.error().message, '\n'))
      if (!line.empty()) logger.error(line);
    return settled.error().fault == Fault::refused ? exit_configuration : exit_failed;
  }
  if (auto promoting = parts.start_promotions(); !promoting) {
    logger.error(promoting.error().message);
    return exit_failed;
  }
  if (auto listening = parts.listen(); !listening) {
    logger.error(listening.error().message);
    return exit_failed;
  }
  parts.start_telemetry();
  parts.recover();
  daemon::ServiceNotifier notifier{loop.get_executor(), [&] { return parts.agent().overdue(std::chrono::steady_clock::now()); }, logger};
  const auto ready = [&] { notifier.ready("polling " + std::to_string(parts.settings().sources.size()) + " sources"); };
  parts.watch_reloads([&] { notifier.reloading(); }, ready);
  asio::signal_set signals{loop, SIGTERM, SIGINT}, hangups{loop, SIGHUP};
  std::exception_ptr thrown;
  asio::co_spawn(loop, watch_signals(signals, parts, notifier), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);  // Nobody could stop us in good order any more.
  });
  asio::co_spawn(loop, watch_hangups(hangups, parts), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
  asio::co_spawn(loop, run_to_the_end(parts), [&](std::exception_ptr error) {
    thrown = error;
    parts.stop_listening();
    loop.stop();
  });
  parts.join_system_bus();
  asio::co_spawn(loop, parts.stop_limit(), asio::detached);  // By then nobody may be there to be asked.
  ready();
  logger.notice("outpostd " OUTPOST_VERSION " is up; local API on " + (parts.settings().runtime_directory / "api.sock").string() +
                (parts.page_url().empty() ? "" : ", and on " + parts.page_url() + " (see: outpost dashboard)"));
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
  logger.notice("stopped");
  return exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Outpost: polls control servers for new components, runs them through the lab, and delivers the results."};
  std::string file = "/etc/outpost/outpost.yml";
  app.name("outpostd");
  app.add_option("-c,--config", file, "Configuration file; conf.d/*.yml beside it override it")->capture_default_str();
  app.set_version_flag("--version", "outpostd " OUTPOST_VERSION);
  app.footer("Example:\n  outpostd --config /etc/outpost/outpost.yml\n\nSIGTERM stops it in good order, SIGHUP has it read its configuration again. Check a configuration with: outpost config check");
  CLI11_PARSE(app, argc, argv);

  ::signal(SIGPIPE, SIG_IGN);
  auto configuration = daemon::configuration_of(file);
  if (!configuration) {
    std::cerr << configuration.error().message;
    return exit_configuration;
  }
  if (auto reaping = process::become_subreaper(); !reaping) {
    std::cerr << "outpostd: " << reaping.error().message << "\n";
    return exit_failed;
  }
  try {
    return run_daemon(std::move(*configuration));
  } catch (const std::exception& failure) {
    std::cerr << "outpostd: a bug, please report it: " << failure.what() << "\n";
    return exit_failed;
  }
}
