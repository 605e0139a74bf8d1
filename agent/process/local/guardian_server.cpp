#include "agent/process/local/guardian_server.hpp"

#include "agent/process/local/guardian_protocol.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace outpost::process {
namespace {

/// A server forks in microseconds. One that takes so long was stopped by somebody.
constexpr int patience_ms = 10'000;

/// posix_spawn, because it shares the memory of this process until the exec: a fork would copy the page tables of the
/// whole agent, and Boost's launchers fork, or touch the loop from the child. Everything else that is open is
/// close-on-exec here or closed by the guardian.
Result<pid_t> spawn(const std::filesystem::path& program, std::string argument,
                    const GuardianDescriptors& descriptors) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  int number = 0;
  for (const int descriptor : {descriptors.request, descriptors.output, descriptors.control})
    ::posix_spawn_file_actions_adddup2(&actions, descriptor, number++);
  std::string path = program.string();
  char* arguments[] = {path.data(), argument.data(), nullptr};
  char* no_environment[] = {nullptr};
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, path.c_str(), &actions, nullptr, arguments, no_environment);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Error{Fault::unavailable, path + ": " + std::strerror(error)};
  return pid;
}

bool send_order(int socket, const GuardianDescriptors& descriptors) {
  guardian::Started order;
  iovec bytes{&order, sizeof order};
  const int three[] = {descriptors.request, descriptors.output, descriptors.control};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof three)] = {};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof space;
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof three);
  std::memcpy(CMSG_DATA(head), three, sizeof three);
  return ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof order;
}

/// Waits for the first message on `socket`. Nothing at the end of the stream there or on `server`, or when its time is
/// up: blocking for longer than a fork takes is for servers that somebody has stopped.
std::optional<guardian::Started> hear(int socket, int server) {
  pollfd events[] = {{socket, POLLIN, 0}, {server, 0, 0}};
  int ready = 0;
  while ((ready = ::poll(events, 2, patience_ms)) < 0 && errno == EINTR) {
  }
  guardian::Started started;
  const bool heard = ready > 0 && ::recv(socket, &started, sizeof started, MSG_DONTWAIT) == sizeof started;
  if (!heard || started.magic != guardian::magic) return {};
  return started;
}

}  // namespace

GuardianServer::~GuardianServer() { stop(); }

void GuardianServer::stop() {
  socket_.close();
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(std::exchange(pid_, -1), nullptr, 0);
}

/// Whether there is a server, after starting it where there is none.
bool GuardianServer::is_running() {
  if (socket_.get() >= 0) return true;
  int sockets[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) return false;
  Descriptor ours{sockets[0]}, theirs{sockets[1]};
  const Descriptor nothing{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  const auto pid = spawn(program_, guardian::serve, {theirs.get(), nothing.get(), nothing.get()});
  if (!pid) return false;
  theirs.close();
  pid_ = *pid;
  socket_ = std::move(ours);
  if (hear(socket_.get(), socket_.get())) return true;
  stop();  // It is another program, or cannot run here.
  return false;
}

Result<pid_t> GuardianServer::start(const GuardianDescriptors& descriptors, int own_control,
                                    const std::string& for_ps) {
  if (is_running() && send_order(socket_.get(), descriptors)) {
    const auto started = hear(own_control, socket_.get());
    if (started && started->pid > 0) return started->pid;
    stop();
    // Not once more: there may be a guardian that has not spoken yet. It ends with the control socket, the command too.
    const std::string why = started ? std::strerror(-started->pid) : "its server was killed or stopped by somebody";
    return Error{Fault::unavailable, program_.string() + ": " + why};
  }
  stop();
  return spawn(program_, for_ps, descriptors);
}

}  // namespace outpost::process
