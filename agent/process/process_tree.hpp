#pragma once

#include <sys/types.h>

#include <string>
#include <unordered_set>
#include <vector>

/// Finding and signalling every process below another one. POSIX and /proc only: the guardian is built from this too.
namespace outpost::process {

struct Process {
  pid_t pid = 0, parent = 0, group = 0, session = 0;
};

/// All processes that /proc shows, zombies included (a dead first thread may still have living ones).
[[nodiscard]] std::vector<Process> all_processes();

/// Those of `all` that descend from one of `roots`; the roots themselves are not among them.
[[nodiscard]] std::vector<Process> descendants(const std::vector<Process>& all, const std::unordered_set<pid_t>& roots);

/// Whether a process has `ancestor` above it, as far as /proc can tell.
[[nodiscard]] bool descends_from(pid_t process, pid_t ancestor);

/// Sends a signal to each process, by group where that is safe: the kernel signals a group in one go, so that no
/// member can fork its way out meanwhile. A group belongs to one session, and every session but the caller's own in
/// which a descendant lives was made by a descendant.
void signal_all(const std::vector<Process>& processes, int signal);

/// Ends a tree that may be a fork bomb. A process that is killed makes room for another one, a stopped one does not:
/// so first stop until a look at /proc shows nobody new, and only then kill.
class Extermination {
 public:
  /// One step against what is there now. Call it again until nothing is left.
  void pass(const std::vector<Process>& victims);
  /// Whether the last pass has seen somebody for the first time: look again at once.
  [[nodiscard]] bool found_new() const { return found_new_; }

 private:
  std::unordered_set<pid_t> stopped_;
  bool found_new_ = false;
};

/// "4711 (sleep), 4712 (sh)": for people; control bytes in names become '?'.
[[nodiscard]] std::string names_of(const std::vector<Process>& processes);

}  // namespace outpost::process
