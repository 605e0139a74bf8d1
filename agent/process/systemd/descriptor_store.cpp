#include "agent/process/systemd/descriptor_store.hpp"

#include <systemd/sd-daemon.h>

#include <cstdlib>
#include <string_view>

namespace outpost::process {

std::string stored_output_name(unsigned slot) { return "slot-" + std::to_string(slot); }

std::map<std::string, Descriptor> take_stored_outputs() {
  std::map<std::string, Descriptor> stored;
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &names);
  for (int index = 0; index < count; ++index) {
    Descriptor descriptor{SD_LISTEN_FDS_START + index};
    if (std::string_view{names[index]}.starts_with("slot-")) stored.emplace(names[index], std::move(descriptor));
  }
  for (int index = 0; names && names[index]; ++index) std::free(names[index]);
  std::free(names);
  return stored;
}

/// Without FDPOLL=0 systemd would drop the pipe when the command has closed it, with what is in it.
void store_output(unsigned slot, int descriptor) {
  const auto text = "FDSTORE=1\nFDPOLL=0\nFDNAME=" + stored_output_name(slot);
  ::sd_pid_notify_with_fds(0, 0, text.c_str(), &descriptor, 1);
}

void drop_output(unsigned slot) { ::sd_notify(0, ("FDSTOREREMOVE=1\nFDNAME=" + stored_output_name(slot)).c_str()); }

}  // namespace outpost::process
