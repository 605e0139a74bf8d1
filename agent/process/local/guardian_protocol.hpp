#pragma once

#include <array>
#include <cstdint>

/// What the runner and the guardian of one command tell each other. Both are built together and installed together;
/// the magic only catches a mix-up. A guardian begins with three descriptors:
///
///   0  a memory file: the ExecRequest
///   1  the write end of the output pipe; it becomes the command's stdout and stderr
///   2  the control socket (SOCK_SEQPACKET). The runner sends at most one Stop, the guardian exactly one Report. Its
///   end
///      of file tells each side that the other one is gone. It is the guardian's stderr too, so that whatever keeps
///      the guardian itself from starting (a dynamic linker, a sanitizer) arrives as a message that is no Report.
///
/// Starting a program costs more than all else that a guardian does. So it is usually forked by one that is there
/// already, `outpost-guardian --serve`: that has a socket (SOCK_SEQPACKET) as descriptor 0, and each message on it
/// carries the three descriptors of one guardian. The guardian is a child of the runner all the same (CLONE_PARENT),
/// and before all else says Started on its control socket.
namespace outpost::process::guardian {

inline constexpr std::uint32_t magic = 0x6f757432;
inline constexpr char serve[] = "--serve";

/// The first message of a guardian that was forked by a server, or the server's own when it could not fork. With `pid`
/// 0 also the server's first message, and each order to it.
struct Started {
  std::uint32_t magic = guardian::magic;
  std::int32_t pid = 0;  ///< Or -errno.
};

/// SIGTERM to everything now, SIGKILL after the grace.
struct Stop {
  std::uint32_t magic = guardian::magic;
};

struct Report {
  enum class Kind : std::uint32_t {
    not_started,  ///< `value` is an errno, `phase` says of what.
    ended,        ///< `value` is a wait status; no process is left.
    stuck,        ///< Processes are left that no signal ends; `text` names them.
  };
  enum class Phase : std::uint32_t { fork, directory, exec };

  std::uint32_t magic = guardian::magic;
  Kind kind = Kind::ended;
  Phase phase = Phase::exec;
  std::int32_t value = 0;
  std::uint32_t leftovers = 0;
  std::uint32_t stopped = 0;  ///< 1 when the command was still running when it was asked to stop.
  std::array<char, 200> text{};
};

/// How long the guardian waits for processes that were sent SIGKILL and do not go (an unreachable file server, another
/// user's process) before it gives up and reports them.
inline constexpr int stuck_after_ms = 60'000;

}  // namespace outpost::process::guardian
