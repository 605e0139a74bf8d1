#include "agent/base/text.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/shown.hpp"
#include "agent/daemon/client.hpp"
#include "agent/job/event.hpp"

#include <cstdlib>
#include <iostream>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace outpost::cli {

namespace json = boost::json;

namespace {

/// Whether xdg-open took the address. Only where there is a session that can show it.
bool show_in_browser(const std::string& url) {
  if (std::getenv("DISPLAY") == nullptr && std::getenv("WAYLAND_DISPLAY") == nullptr) return false;
  const char* arguments[] = {"xdg-open", url.c_str(), nullptr};
  pid_t child = 0;
  if (::posix_spawnp(&child, arguments[0], nullptr, nullptr, const_cast<char**>(arguments), environ) != 0) return false;
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string host_name() {
  char name[256]{};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "HOST";
}

}  // namespace

int open_dashboard(const DaemonOptions& daemon, bool print_only, bool as_json) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto answer = daemon::ask_daemon(*socket, "/api/v1/dashboard");
  if (!answer) return fail(answer.error());
  const auto* page = answer->is_object() ? answer->get_object().if_contains("dashboard") : nullptr;
  const json::object told = page && page->is_object() ? page->get_object() : json::object{};
  const std::string url = printable(job::text_at(told, "url"));
  if (as_json) {
    print_document("outpost-dashboard", {{"url", url}, {"token", job::text_at(told, "token")}, {"socket", socket->string()}});
    return url.empty() ? exit_negative : exit_ok;
  }
  if (url.empty()) {
    // The socket itself is reached by ssh, and by nobody else.
    std::cerr << "outpost: the page is on the socket only. Either set dashboard.listen in outpost.yml and restart the daemon,\n"
                 "or from the machine with the browser:\n\n"
                 "  ssh -N -L 8420:" << socket->string() << " " << host_name() << "\n\nand open http://localhost:8420/\n";
    return exit_negative;
  }
  const std::string whole = url + "#token=" + job::text_at(told, "token");
  std::cout << whole << std::endl;
  if (print_only || show_in_browser(whole)) return exit_ok;
  std::string place = url.substr(url.find("//") + 2);
  place.pop_back();
  std::cerr << "From another machine, first: ssh -N -L 8420:" << place << " " << host_name() << "  (then the same address with localhost:8420)\n";
  return exit_ok;
}

}  // namespace outpost::cli
