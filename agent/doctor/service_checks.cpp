#include "agent/base/descriptor.hpp"
#include "agent/base/shell_word.hpp"
#include "agent/base/text.hpp"
#include "agent/doctor/checks.hpp"
#include "agent/doctor/command.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>

namespace outpost::doctor {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

std::string text_in(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && value->is_string() ? std::string{value->get_string()} : std::string{};
}

std::size_t size_in(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && value->is_array() ? value->get_array().size() : 0;
}

/// How many jobs the daemon runs.
std::size_t running_jobs(const json::object& status) {
  const auto* jobs = status.if_contains("jobs");
  return jobs && jobs->is_object() ? size_in(jobs->get_object(), "running") : 0;
}

Finding of_daemon(const Examination& examination) {
  const json::object& status = *examination.status;
  const std::string measured = "the daemon answers: " + text_in(status, "state");
  if (text_in(status, "state") == "degraded")
    return failed(measured, printable(text_in(status, "state_reason")), {examination.command("alarm list")});
  if (const auto alarms = size_in(status, "alarms"); alarms > 0)
    return warned(measured + ", " + std::to_string(alarms) + " alarms", "it has something to tell",
                  {examination.command("alarm list")});
  return passed(measured);
}

Result<std::string> reload_units() {
  const auto answer = run_command({"systemctl", "daemon-reload"}, std::chrono::seconds{60});
  if (answer.ran && answer.status == 0) return std::string{"systemd has read its units again"};
  return Error{Fault::unavailable, "systemctl daemon-reload failed"};
}

/// NAME=value lines of `systemctl show`.
std::map<std::string, std::string> properties_of_unit() {
  std::map<std::string, std::string> found;
  const auto answer = run_command(
      {"systemctl", "show", "outpostd.service", "--property=LoadState,ActiveState,UnitFileState,NeedDaemonReload"});
  for (const auto& line : split(answer.output, '\n'))
    if (const auto equals = line.find('='); equals != std::string::npos)
      found[line.substr(0, equals)] = line.substr(equals + 1);
  return found;
}

Finding of_unit(const Examination& examination) {
  const Machine& machine = examination.machine;
  const fs::path own = "/etc/systemd/system/outpostd.service";
  if (machine.has("/usr/lib/systemd/system/outpostd.service") && machine.has(own) &&
      machine.text(own) != machine.text("/usr/lib/systemd/system/outpostd.service"))
    return warned(own.string() + " hides the package's unit",
                  "an upgrade does not change it, so it falls behind what the daemon needs",
                  {"diff -u /usr/lib/systemd/system/outpostd.service " + own.string() + "\nmv " + own.string() + " " + own.string() + ".old && systemctl daemon-reload",
                   "keep only what differs, in a drop-in: systemctl edit outpostd"});
  auto unit = properties_of_unit();
  if (unit.empty()) return skipped("systemd does not answer");
  if (unit["LoadState"] == "not-found") return skipped("there is no outpostd.service here");
  const std::string measured = "outpostd.service is " + unit["ActiveState"] + ", " + unit["UnitFileState"];
  if (unit["NeedDaemonReload"] == "yes") {
    Finding stale = warned(measured, "its unit has changed on disk, and systemd has not read it",
                           {"systemctl daemon-reload && " + examination.restart()});
    stale.repair = reload_units;
    return stale;
  }
  if (unit["ActiveState"] == "failed")
    return failed(measured, "the daemon has ended with an error", {"journalctl -u outpostd -n 50\n" + examination.command("config check"), "correct what its log says"});
  if (unit["ActiveState"] != "active")
    return warned(measured, "the daemon does not run", {"systemctl enable --now outpostd"});
  if (unit["UnitFileState"] == "disabled")
    return warned(measured, "it does not start when this machine does", {"systemctl enable outpostd"});
  return passed(measured);
}

}  // namespace

Finding check_unit(Examination& examination) {
  Findings findings;
  if (examination.status) findings.add(of_daemon(examination));
  if (examination.machine.has("/run/systemd/system")) findings.add(of_unit(examination));
  return std::move(findings).all("the daemon does not answer, and there is no systemd");
}

Finding check_versions(Examination& examination) {
  const std::string ours = OUTPOST_VERSION;
  std::string measured = "this program is " + ours;
  if (examination.status) {
    const std::string daemons = text_in(*examination.status, "version");
    measured += ", the daemon " + printable(daemons, 40);
    if (daemons != ours)
      return warned(measured, "the daemon was not restarted after an upgrade; it waits when that would end a hook",
                    {examination.restart()});
  }
  const auto answer = run_command({"rpm", "-qa", "--qf", "%{NAME} %{VERSION}-%{RELEASE}\n", "outpost*"});
  std::set<std::string> versions;
  std::string packages;
  for (const auto& line : split(answer.output, '\n')) {
    const auto space = line.find(' ');
    if (space == std::string::npos) continue;
    versions.insert(line.substr(space + 1));
    packages += (packages.empty() ? "" : ", ") + printable(line, 100);
  }
  if (!packages.empty()) measured += "; packages: " + packages;
  if (versions.size() > 1)
    return warned(measured, "the packages are of different versions, and belong together", {"dnf upgrade 'outpost*'"});
  return passed(measured);
}

namespace {

/// Nobody listens behind this socket, for certain.
bool is_abandoned(const fs::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.native().size() >= sizeof address.sun_path) return false;
  std::strcpy(address.sun_path, socket.c_str());
  const Descriptor probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
         errno == ECONNREFUSED;
}

Finding of_socket(const fs::path& socket) {
  if (!is_abandoned(socket)) return passed(socket.string() + " is in use");
  Finding left = warned(socket.string() + " is there, and nobody listens", "the daemon was killed, or is not started",
                        {"rm " + shell_word(socket.string()), "the next start of the daemon does the same: systemctl start outpostd"});
  left.repair = [socket]() -> Result<std::string> {
    if (!is_abandoned(socket)) return Error{Fault::refused, "somebody listens there now"};
    if (::unlink(socket.c_str()) != 0) return errno_error("removing", socket.native(), errno);
    return socket.string() + " was removed";
  };
  return left;
}

std::string command_of(const Machine& machine, const std::string& process) { return std::string{trim(machine.text("/proc/" + process + "/comm"))}; }

/// Whether a program of ours that runs is above it: a daemon with another configuration, or `outpost job run`.
bool is_looked_after(const Machine& machine, std::string process) {
  for (int generation = 0; generation < 64 && process != "0" && process != "1"; ++generation) {
    const auto command = command_of(machine, process);
    if (command == "outpostd" || command == "outpost") return true;
    const auto parent = number_in(machine.lines("/proc/" + process + "/status"), "PPid:");
    if (!parent) return false;
    process = std::to_string(*parent);
  }
  return false;
}

/// Processes of slots' users, and guardians, that nobody looks after: "4711 (sleep)".
std::vector<std::string> processes_of_jobs(const Machine& machine) {
  std::set<std::string> users;
  for (const auto& line : machine.lines("/etc/passwd"))
    if (const auto fields = split(line, ':'); fields.size() > 2 && fields[0].starts_with("outpost-job-"))
      users.insert(fields[2]);
  std::vector<std::string> found;
  for (const auto& name : machine.names("/proc")) {
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto lines = machine.lines("/proc/" + name + "/status");
    const auto uid = number_in(lines, "Uid:");
    const auto command = command_of(machine, name);
    if (((uid && users.contains(std::to_string(*uid))) || command == "outpost-guardia") && !is_looked_after(machine, name))
      found.push_back(name + " (" + printable(command, 40) + ")");
  }
  return found;
}

}  // namespace

Finding check_leftovers(Examination& examination) {
  Findings findings;
  const fs::path socket = examination.places.runtime_directory / "api.sock";
  std::error_code ignored;
  if (!examination.status && fs::exists(socket, ignored)) findings.add(of_socket(socket));
  // A daemon that runs has its guardians, and its jobs their processes.
  if (!examination.status) {
    if (const auto left = processes_of_jobs(examination.machine); !left.empty()) {
      std::string numbers;
      for (const auto& each : left) numbers += " " + each.substr(0, each.find(' '));
      findings.add(warned(std::to_string(left.size()) + " processes of jobs: " + join(left, ", "),
                          "no daemon answers, and something of its jobs still runs",
                          {examination.machine.has("/run/systemd/system") ? "systemctl start outpostd" : "kill" + numbers,
                           "start the daemon, which takes them over or ends them"}));
    }
  } else if (running_jobs(*examination.status) > 0) {
    findings.add(passed(std::to_string(running_jobs(*examination.status)) + " jobs run"));
  }
  findings.add(passed("nothing else is left of old jobs"));
  return std::move(findings).all("");
}

}  // namespace outpost::doctor
