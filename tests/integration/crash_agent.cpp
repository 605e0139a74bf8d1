// outpostd, but for one thing: it kills itself with SIGKILL at the moment when the n-th event of its life became
// durable. So a test can stop it between any two facts, exactly and without a clock.
//
//   outpost-crash-agent CONFIGURATION N

#include "agent/config/load.hpp"
#include "agent/daemon/composition.hpp"
#include "agent/process/local/local_command_runner.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <unistd.h>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>

namespace {

namespace asio = boost::asio;
using namespace outpost;

int run(config::Settings settings, unsigned long fatal) {
  asio::io_context loop{1};
  daemon::InForce configuration{.file = {}, .settings = std::move(settings), .texts = {}, .since = {}, .problem = {}};
  auto composition = daemon::Composition::make(std::move(configuration), loop.get_executor());
  if (!composition) {
    std::cerr << composition.error().message << "\n";
    return 1;
  }
  daemon::Composition& parts = **composition;
  unsigned long events = 0;
  const auto watching = parts.journal().subscribe([&](const job::Event& event) {
    std::cerr << "event " << ++events << " " << event.type << " " << event.step_id << std::endl;
    if (events == fatal) ::kill(::getpid(), SIGKILL);
  });
  if (auto restored = parts.agent().restore(); !restored) {
    std::cerr << restored.error().message << "\n";
    return 1;
  }
  if (auto listening = parts.listen(); !listening) {
    std::cerr << listening.error().message << "\n";
    return 1;
  }
  asio::signal_set signals{loop, SIGTERM};
  signals.async_wait([&](boost::system::error_code error, int) {
    if (!error) parts.agent().stop("SIGTERM");
  });
  std::exception_ptr thrown;
  asio::co_spawn(loop, parts.agent().run(), [&](std::exception_ptr error) {
    thrown = error;
    parts.stop_listening();
    loop.stop();
  });
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: outpost-crash-agent CONFIGURATION N\n";
    return 2;
  }
  ::signal(SIGPIPE, SIG_IGN);
  const auto types = daemon::source_types();
  auto loaded = config::load(argv[1], config::environment_of(environ), types);
  if (!loaded) {
    std::cerr << loaded.error().text();
    return 2;
  }
  if (auto reaping = process::become_subreaper(); !reaping) {
    std::cerr << reaping.error().message << "\n";
    return 1;
  }
  try {
    return run(std::move(loaded->settings), std::strtoul(argv[2], nullptr, 10));
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << "\n";
    return 1;
  }
}
