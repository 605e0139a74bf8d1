#include "agent/process/local/supervised_step.hpp"

#include "agent/base/text.hpp"
#include "agent/process/exec_request.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace outpost::process {
namespace {

namespace asio = boost::asio;
namespace child = boost::process::v2;
using asio::posix::stream_descriptor;

/// A little more than the default 64 KiB, so that a busy loop does not stop a chatty command. Not much more: an
/// unprivileged user may have 64 MiB in all pipes together.
constexpr int pipe_size = 256 * 1024;

Error cannot_start(const Command& command, std::string_view why) {
  return {Fault::unavailable, printable(command.program.string()) + ": cannot be started: " + std::string{why}};
}

Error cannot_start(const Command& command, int code) { return cannot_start(command, std::strerror(code)); }

Result<Descriptor> request_file(const Command& command) {
  const auto request = ExecRequest::write(command);
  if (!request) return cannot_start(command, "an argument or variable contains a NUL byte");
  const auto& text = *request;
  Descriptor file{::memfd_create("outpost-step", MFD_CLOEXEC)};
  for (std::size_t done = 0; done < text.size();) {
    const auto size = ::write(file.get(), text.data() + done, text.size() - done);
    if (size < 0) return cannot_start(command, errno);
    done += static_cast<std::size_t>(size);
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return cannot_start(command, errno);
  return file;
}

}  // namespace

SupervisedStep::SupervisedStep(Descriptor control, stream_descriptor output, child::process guardian)
    : control_{std::move(control)}, output_{std::move(output)}, guardian_{std::move(guardian)} {}

SupervisedStep::~SupervisedStep() {
  // The destructor of Boost's process would kill a guardian that runs before it has killed the command, and wait for
  // the number of one that has ended, which may be somebody else's by now. Without its control socket it stops itself.
  control_.close();
  guardian_.detach();
}

Result<std::unique_ptr<SupervisedStep>> SupervisedStep::start(const asio::any_io_executor& executor,
                                                              GuardianServer& guardians, const Command& command) {
  auto request = request_file(command);
  if (!request) return request.error();
  int sockets[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) return cannot_start(command, errno);
  Descriptor ours{sockets[0]}, theirs{sockets[1]};
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return cannot_start(command, errno);
  Descriptor output{pipe[0]}, input{pipe[1]};
  ::fcntl(output.get(), F_SETPIPE_SZ, pipe_size);
  ::fcntl(output.get(), F_SETFL, O_NONBLOCK);  // Of our end alone.
  try {
    stream_descriptor output_end{executor, output.get()};
    output.release();
    // The request says what to run; the argument is only for people who look at ps.
    const auto pid = guardians.start({request->get(), input.get(), theirs.get()}, ours.get(), command.program.string());
    if (!pid) return cannot_start(command, "its guardian " + pid.error().message);
    child::process process{executor, *pid};
    return std::unique_ptr<SupervisedStep>{
        new SupervisedStep{std::move(ours), std::move(output_end), std::move(process)}};
  } catch (const boost::system::system_error& failure) {
    return cannot_start(command, failure.code().message());
  }
}

void SupervisedStep::ask_to_stop() {
  const guardian::Stop stop;
  ::send(control_.get(), &stop, sizeof stop, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void SupervisedStep::kill_guardian() { ::kill(guardian_.id(), SIGKILL); }

SupervisedStep::LastWords SupervisedStep::last_words() {
  LastWords words;
  std::array<char, 4096> bytes;
  for (;;) {
    const auto size = ::recv(control_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (size <= 0) return words;
    guardian::Report report;
    if (size == sizeof report) std::memcpy(&report, bytes.data(), sizeof report);
    if (size == sizeof report && report.magic == guardian::magic)
      words.report = report;
    else
      words.text = printable(trim({bytes.data(), static_cast<std::size_t>(size)}));
  }
}

std::string SupervisedStep::describe_end() const {
  const int status = guardian_.native_exit_code();
  if (WIFSIGNALED(status)) return "was killed by signal " + std::to_string(WTERMSIG(status));
  return "exited with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace outpost::process
