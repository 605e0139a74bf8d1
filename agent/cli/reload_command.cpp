#include "agent/base/text.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/shown.hpp"
#include "agent/daemon/client.hpp"
#include "agent/job/event.hpp"


#include <iostream>

namespace outpost::cli {

namespace json = boost::json;

int reload(const DaemonOptions& daemon, bool as_json) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto answer = daemon::tell_daemon(*socket, "/api/v1/reload", {});
  if (!answer && answer.error().fault == Fault::malformed) return fail(Error{Fault::malformed, answer.error().message + "\n"}, exit_configuration);
  if (!answer) return fail(answer.error());
  if (as_json) {
    print_document("outpost-reload", answer->as_object());
    return exit_ok;
  }
  const auto changed = job::texts_at(answer->get_object(), "changed"), restart = job::texts_at(answer->get_object(), "needs_restart");
  if (changed.empty()) std::cout << "read again; nothing that can change now has changed\n";
  for (const auto& each : changed) std::cout << printable(each) << "\n";
  for (const auto& each : restart) std::cout << "needs a restart: " << printable(each) << "\n";
  return exit_ok;
}

}  // namespace outpost::cli
