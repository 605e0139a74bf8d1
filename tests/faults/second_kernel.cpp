#include "faults/second_kernel.hpp"

#include "support/temporary_directory.hpp"

#include <sched.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

namespace outpost::test {

namespace fs = std::filesystem;

namespace {

constexpr const char* kernel = "/usr/bin/linux.uml";

/// Runs a command; what it said when it failed.
std::string failure_of(const std::string& command) {
  const TemporaryDirectory directory;
  const auto log = directory.path / "log";
  if (Process{{"/bin/sh", "-c", command}, log}.wait() == 0) return "";
  return command + ": " + read_file(log);
}

}  // namespace

std::string SecondKernel::why_not() {
  if (::access(kernel, X_OK) != 0)
    return "there is no second kernel (" + std::string{kernel} + ", package user-mode-linux)";
  if (::access("/dev/net/tun", R_OK | W_OK) != 0) return "the second kernel's network needs /dev/net/tun";
  static const std::string trouble = [] {
    if (::unshare(CLONE_NEWNET) != 0)
      return std::string{"a network of its own is not allowed: "} + std::strerror(errno);
    return failure_of(std::string{"ip link set lo up && ip tuntap add dev tap0 mode tap && ip addr add "} +
                      test_address + "/30 dev tap0 && ip link set tap0 up");
  }();
  return trouble;
}

SecondKernel::SecondKernel(fs::path directory, const std::string& script, const fs::path& disk)
    : directory_{std::move(directory)} {
  fs::create_directories(directory_);
  write_file(directory_ / "run", script);
  // The kernel's arguments have no quotes, so its first process is a script that has them.
  const fs::path init = directory_ / "init";
  write_file(init, std::string{"#!/bin/bash\nexec /bin/bash '"} + OUTPOST_FAULTS_DIRECTORY "/second-kernel/init' '" +
                       directory_.string() + "'\n");
  fs::permissions(init, fs::perms::owner_all);
  // It goes when this process does, whoever ends that.
  std::vector<std::string> command{"/usr/bin/setpriv",
                                   "--pdeathsig=KILL",
                                   "/usr/bin/unshare",
                                   "--pid",
                                   "--fork",
                                   "--kill-child=KILL",
                                   "/bin/sh",
                                   "-c",
                                   "\"$@\"; exit $?",  // The first process of a namespace survives its own abort().
                                   "-",
                                   kernel,
                                   "mem=768M",
                                   "rootfstype=hostfs",
                                   "rootflags=/",
                                   "ro",
                                   "init=" + init.string(),
                                   "vec0:transport=tap,ifname=tap0,depth=64,gro=1",
                                   "con0=null,fd:1",
                                   "con=null",
                                   "ssl=null",
                                   "quiet"};
  if (!disk.empty()) command.push_back("ubda=" + disk.string());
  process_ = std::make_unique<Process>(std::move(command), directory_ / "console",
                                       std::vector<std::string>{"HOME=" + directory_.string()});
}

SecondKernel::~SecondKernel() { cut(); }

void SecondKernel::cut() {
  if (!process_) return;
  // It is several processes of this machine. The first of them takes the others along, and unshare waits for that.
  std::ifstream children{"/proc/" + std::to_string(process_->pid()) + "/task/" + std::to_string(process_->pid()) + "/children"};
  if (pid_t first = 0; children >> first) ::kill(first, SIGKILL);
  else process_->signal(SIGKILL);
  process_->wait();
  process_.reset();
}

std::string SecondKernel::console() const { return read_file(directory_ / "console"); }

}  // namespace outpost::test
