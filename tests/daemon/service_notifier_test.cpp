#include "agent/daemon/service_notifier.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/datagram_protocol.hpp>

#include <array>
#include <cstdlib>
#include <optional>
#include <string>
#include <unistd.h>

namespace {

namespace asio = boost::asio;
using namespace outpost;

/// What systemd is for a service: a socket for its messages, and a watchdog that wants one every 20 ms.
struct Manager {
  Manager() : socket{loop, asio::local::datagram_protocol::endpoint{(directory.path / "notify").string()}} {
    ::setenv("NOTIFY_SOCKET", (directory.path / "notify").c_str(), 1);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("WATCHDOG_USEC", "20000", 1);
  }
  ~Manager() {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"}) ::unsetenv(name);
  }

  /// The next message; the loop goes on until it is there.
  std::string next() {
    std::array<char, 1000> buffer;
    std::optional<std::size_t> size;
    socket.async_receive(asio::buffer(buffer), [&](boost::system::error_code, std::size_t received) { size = received; });
    while (!size) loop.run_one_for(std::chrono::seconds{10});
    return {buffer.data(), *size};
  }

  test::TemporaryDirectory directory;
  asio::io_context loop;
  asio::local::datagram_protocol::socket socket;
};

}  // namespace

TEST_CASE("a service says when it is ready and when it stops, and feeds its watchdog while all is on time") {
  Manager manager;
  const daemon::Logger logger;
  unsigned asked = 0;
  std::string late;
  daemon::ServiceNotifier notifier{manager.loop.get_executor(), [&] { return ++asked, late; }, logger};
  notifier.ready("polling 1 sources");
  CHECK(manager.next() == "READY=1\nSTATUS=polling 1 sources");
  CHECK(manager.next() == "WATCHDOG=1");
  CHECK(manager.next() == "WATCHDOG=1");
  SECTION("something is overdue: it is not fed") {
    late = "a poll of dci should have begun 2min ago";
    const unsigned before = asked;
    while (asked < before + 3) manager.loop.run_one_for(std::chrono::seconds{10});
    notifier.stopping("bye");
    CHECK(manager.next() == "STOPPING=1\nSTATUS=bye");
  }
  SECTION("it comes to its senses: it is fed again") {
    late = "a poll of dci should have begun 2min ago";
    const unsigned before = asked;
    while (asked < before + 2) manager.loop.run_one_for(std::chrono::seconds{10});
    late.clear();
    CHECK(manager.next() == "WATCHDOG=1");
  }
}
