#pragma once

#include "support/temporary_directory.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>

namespace outpost::test {

/// A realm OUTPOST.TEST of MIT's on loopback, in a directory that goes away: `client.keytab` of tester and `server.keytab`
/// of HTTP/builder.example.org. This program and what it starts belong to it, by their environment. One for a program.
class KerberosRealm {
 public:
  KerberosRealm() {
    ::setenv("KRB5_CONFIG", (directory.path / "krb5.conf").c_str(), 1);
    ::setenv("KRB5RCACHENAME", ("file2:" + (directory.path / "seen").string()).c_str(), 1);
    run(std::string{OUTPOST_REALM} + ' ' + directory.path.string() + ' ' + std::to_string(free_port()) + " >>" + log() + " 2>&1 &");
    // Only a hang gets there.
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds{120};
    while (read_file(log()).find("starting") == std::string::npos || !std::filesystem::exists(directory.path / "pid")) {
      if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error{"no realm: " + read_file(log())};
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
  }
  ~KerberosRealm() { ::kill(std::atoi(read_file(directory.path / "pid").c_str()), SIGTERM); }
  KerberosRealm(const KerberosRealm&) = delete;
  KerberosRealm& operator=(const KerberosRealm&) = delete;

  static bool is_possible() { return std::system("PATH=$PATH:/usr/sbin; command -v krb5kdc kdb5_util kadmin.local >/dev/null 2>&1") == 0; }

  /// Has the realm's administrator do something: "addprinc -randkey somebody".
  void administrate(const std::string& command) const {
    run("PATH=$PATH:/usr/sbin; KRB5_KDC_PROFILE=" + (directory.path / "kdc.conf").string() + " kadmin.local -q '" + command + "' >>" + log() + " 2>&1");
  }
  /// Puts the keys of another, new principal where a keytab is.
  void replace(const std::filesystem::path& keytab, const std::string& principal) const {
    const std::filesystem::path fresh = keytab.string() + ".new";
    administrate("addprinc -randkey " + principal);
    administrate("ktadd -k " + fresh.string() + ' ' + principal);
    std::filesystem::rename(fresh, keytab);
  }

  TemporaryDirectory directory;

 private:
  [[nodiscard]] std::string log() const { return (directory.path / "log").string(); }

  void run(const std::string& command) const {
    if (std::system(command.c_str()) != 0) throw std::runtime_error{command + ": " + read_file(log())};
  }

  static std::uint16_t free_port() {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error{"no port"};
    ::close(descriptor);
    return ntohs(address.sin_port);
  }
};

}  // namespace outpost::test
