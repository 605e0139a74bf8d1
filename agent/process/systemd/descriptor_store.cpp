#include "agent/process/systemd/descriptor_store.hpp"

#include <systemd/sd-daemon.h>

#include <cstdlib>

namespace outpost::process {

Stored take_stored() {
  Stored stored;
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &names);
  for (int index = 0; index < count; ++index) stored.emplace(names[index], Descriptor{SD_LISTEN_FDS_START + index});
  for (int index = 0; names && names[index]; ++index) std::free(names[index]);
  std::free(names);
  return stored;
}

/// Without FDPOLL=0 systemd would drop the pipe when the command has closed it, with what is in it.
Result<void> store(const std::string& name, int descriptor) {
  const auto text = "FDSTORE=1\nFDPOLL=0\nFDNAME=" + name;
  const int told = ::sd_pid_notify_with_fds(0, 0, text.c_str(), &descriptor, 1);
  if (told < 0) return errno_error("cannot have systemd keep", name, -told);
  return {};
}

void drop_stored(const std::string& name) { ::sd_notify(0, ("FDSTOREREMOVE=1\nFDNAME=" + name).c_str()); }

std::string output_of_slot(unsigned slot) { return "slot-" + std::to_string(slot); }

}  // namespace outpost::process
