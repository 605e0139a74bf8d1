#pragma once

#include "support/temporary_directory.hpp"

#include <systemd/sd-bus.h>

#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <thread>

namespace outpost::test {

/// The system bus of this process as long as it lives: everybody may use it, and there is no polkit.
class PrivateBus {
 public:
  PrivateBus() {
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", ("unix:path=" + socket_.string()).c_str(), 1);
    start();
  }
  ~PrivateBus() { stop(); }
  PrivateBus(const PrivateBus&) = delete;
  PrivateBus& operator=(const PrivateBus&) = delete;

  [[nodiscard]] bool is_there() const { return pid_ > 0; }
  /// Once more after stop(), at the same address.
  void start() {
    const std::string socket = socket_.string(), config = (directory_.path / "bus.conf").string();
    write_file(config, "<busconfig><type>custom</type><listen>unix:path=" + socket +
                           "</listen><auth>EXTERNAL</auth><policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>"
                           "<allow send_destination=\"*\"/><allow receive_sender=\"*\"/></policy></busconfig>");
    const std::string option = "--config-file=" + config;
    const char* arguments[] = {"dbus-daemon", "--nofork", "--nopidfile", option.c_str(), nullptr};
    if (::posix_spawnp(&pid_, "dbus-daemon", nullptr, nullptr, const_cast<char**>(arguments), environ) != 0) pid_ = -1;
    for (int tries = 0; pid_ > 0 && !listens() && ::waitpid(pid_, nullptr, WNOHANG) == 0 && tries < 2000; ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    if (!listens()) stop();
  }
  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    std::filesystem::remove(socket_);
  }

 private:
  /// The socket is there a little earlier, and refuses everybody.
  [[nodiscard]] bool listens() const {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    socket_.string().copy(address.sun_path, sizeof address.sun_path - 1);
    const int client = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool connected = ::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(client);
    return connected;
  }

  TemporaryDirectory directory_;
  std::filesystem::path socket_ = directory_.path / "bus";
  pid_t pid_ = -1;
};

/// What a fake offers on such a bus.
struct OfferedInterface {
  const char *path, *interface;
  const sd_bus_vtable* table;
};

/// All of it for `fake`; negative, as sd-bus has it, when one is refused.
inline int offer_interfaces(sd_bus* connection, void* fake, std::initializer_list<OfferedInterface> offered) {
  for (const auto& each : offered)
    if (const int added = sd_bus_add_object_vtable(connection, nullptr, each.path, each.interface, each.table, fake); added < 0) return added;
  return 0;
}

}  // namespace outpost::test
