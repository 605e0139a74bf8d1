#include "agent/base/background.hpp"

#include <linux/ioprio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace outpost {

void work_in_background() {
  constexpr int niceness = 10, last_of_all = 7;
  const auto thread = static_cast<id_t>(::gettid());
  ::setpriority(PRIO_PROCESS, thread, niceness);
  // Not the idle class: on a disk that is never idle the work would not end, and a step's end waits for it.
  ::syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, thread, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, last_of_all));
}

}  // namespace outpost
