#include "agent/base/text.hpp"
#include "agent/doctor/checks.hpp"
#include "agent/doctor/command.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <sstream>

namespace outpost::doctor {
namespace {

/// "6.1.0-28-amd64" is 6, 1.
std::pair<int, int> kernel_version(const std::string& release) {
  int major = 0, minor = 0;
  const char* end = release.data() + release.size();
  const auto dot = std::from_chars(release.data(), end, major).ptr;
  if (dot != end) std::from_chars(dot + 1, end, minor);
  return {major, minor};
}

constexpr std::pair<int, int> kernel_with_cgroup_kill{5, 14};

std::string release_of(const Machine& machine) { return std::string{trim(machine.text("/proc/sys/kernel/osrelease"))}; }

}  // namespace

Finding check_cgroups(Examination& examination) {
  const Machine& machine = examination.machine;
  if (!examination.steps_are_units())
    return skipped("steps are run by the daemon itself, without control groups of their own");
  // Debian keeps the kernel's arguments in a file, from which update-grub makes the menu.
  const Cure upgrade{is_debian(machine) ? "mkdir -p /etc/default/grub.d && echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX systemd.unified_cgroup_hierarchy=1\"' >/etc/default/grub.d/outpost.cfg && update-grub"
                                        : "grubby --update-kernel=ALL --args=systemd.unified_cgroup_hierarchy=1",
                     "boot with that argument of the kernel"};
  if (!machine.has("/sys/fs/cgroup/cgroup.controllers"))
    return failed("control groups are of version 1, or not mounted",
                  "limits of jobs and the proof that nothing of them is left need version 2", upgrade);
  const std::string controllers{trim(machine.text("/sys/fs/cgroup/cgroup.controllers"))};
  const auto there = split(controllers, ' ');
  std::vector<std::string> missing;
  for (const char* wanted : {"cpu", "memory", "pids"})
    if (std::find(there.begin(), there.end(), wanted) == there.end()) missing.emplace_back(wanted);
  if (!missing.empty())
    return failed("version 2, without " + join(missing, ", "), "limits of jobs on these do not hold",
                  {"cat /proc/cmdline", "take cgroup_disable= out of the kernel's arguments"});
  const auto version = kernel_version(release_of(machine));
  const std::string measured = "version 2 with " + controllers;
  if (version < kernel_with_cgroup_kill)
    return warned(measured + "; no cgroup.kill", "a fork bomb of a hook takes longer to end",
                  {"uname -r", "use a kernel from 5.14 on"});
  return passed(measured);
}

Finding check_users(Examination& examination) {
  const Machine& machine = examination.machine;
  const bool units = examination.steps_are_units();
  const bool packaged = machine.has("/usr/lib/systemd/system/outpostd.service");
  if (!units && !packaged) return skipped("steps run as the daemon's own user");
  const Cure make{"systemd-sysusers && systemd-tmpfiles --create"};
  if (!user_named(machine, "outpost")) return failed("there is no user outpost", "the service cannot start", make);
  if (!units) return passed("user outpost; steps run as it too");
  const unsigned slots = examination.settings() ? examination.settings()->slots : 1;
  std::string subordinate = machine.text("/etc/subuid");
  const bool containers =
      examination.settings() && std::any_of(examination.settings()->jobs.begin(), examination.settings()->jobs.end(),
                                            [](const config::Job& job) { return job.profile == "container"; });
  for (unsigned slot = 1; slot <= slots; ++slot) {
    const std::string name = "outpost-job-" + std::to_string(slot);
    if (!user_named(machine, name))
      return failed("there is no user " + name, "slot " + std::to_string(slot) + " has nobody to run its steps as",
                    make);
    if (containers && ("\n" + subordinate).find("\n" + name + ":") == std::string::npos)
      return failed(name + " has no subordinate ids in /etc/subuid",
                    "rootless containers of slot " + std::to_string(slot) + " cannot start",
                    {"usermod --add-subuids " + std::to_string(100000 + 65536 * slot) + "-" +
                        std::to_string(165535 + 65536 * slot) + " --add-subgids " +
                        std::to_string(100000 + 65536 * slot) + "-" + std::to_string(165535 + 65536 * slot) + " " +
                        name});
  }
  return passed("outpost and " + std::to_string(slots) + " for slots");
}

Finding check_selinux(Examination& examination) {
  const std::string enforce{trim(examination.machine.text("/sys/fs/selinux/enforce"))};
  if (enforce.empty()) return passed("SELinux is not in use");
  const std::string mode = enforce == "1" ? "enforcing" : "permissive";
  const auto answer = run_command({"ausearch", "--message", "AVC,USER_AVC", "--start", "recent", "--raw"});
  if (!answer.ran) return skipped(mode + "; ausearch is not installed (dnf install audit)");
  std::string denials;
  std::size_t count = 0;
  for (const auto& line : split(answer.output, '\n')) {
    if (line.find("outpost") == std::string::npos || line.find("denied") == std::string::npos) continue;
    if (++count <= 3) denials += printable(line, 300) + "\n";
  }
  if (count == 0) return passed(mode + ", no denials for outpost in the last 10 minutes");
  return warned(
      mode + ", " + std::to_string(count) + " denials in the last 10 minutes", denials,
      {"restorecon -Rv /etc/outpost /var/lib/outpost /usr/libexec/outpost\nausearch -m AVC -ts recent | audit2why"});
}

namespace {

/// Sockets bound to an UDP port of this machine.
std::size_t bound_to(const Machine& machine, unsigned port) {
  std::size_t count = 0;
  for (const char* table : {"/proc/net/udp", "/proc/net/udp6"}) {
    for (const auto& line : machine.lines(table)) {
      std::istringstream words{line};
      std::string number, local;
      words >> number >> local;
      const auto colon = local.rfind(':');
      if (colon == std::string::npos || !number.ends_with(':')) continue;
      count += std::strtoul(local.c_str() + colon + 1, nullptr, 16) == port ? 1 : 0;
    }
  }
  return count;
}

}  // namespace

Finding check_boot_services(Examination& examination) {
  if (!examination.machine.has("/proc/net/udp")) return skipped("the sockets of this machine cannot be read");
  const auto dhcp = bound_to(examination.machine, 67), tftp = bound_to(examination.machine, 69);
  const std::string measured =
      std::to_string(dhcp) + " on the port of DHCP, " + std::to_string(tftp) + " on that of TFTP";
  if (dhcp > 1)
    return warned(measured,
                  "several DHCP servers run on this machine; where two answer on one network, lab machines get the "
                  "wrong address or boot the wrong image",
                  {"ss -lunp 'sport = :67'", "leave one of them for the lab's network; libvirt's is off with: virsh net-destroy default"});
  return passed(measured);
}

namespace {

/// The last drop-in by name wins; systemctl edit makes one that is called override.conf.
constexpr const char* more_files_for_unit =
    "mkdir -p /etc/systemd/system/outpostd.service.d && printf '[Service]\\nLimitNOFILE=65536\\n' >/etc/systemd/system/outpostd.service.d/zz-files.conf "
    "&& systemctl daemon-reload && ";

}  // namespace

Finding check_descriptors(Examination& examination) {
  constexpr std::uint64_t enough = 1024;
  const Machine& machine = examination.machine;
  std::string who = "self";
  if (examination.status)
    if (const auto* pid = examination.status->if_contains("pid"); pid && pid->is_int64())
      who = std::to_string(pid->get_int64());
  auto lines = machine.lines("/proc/" + who + "/limits");
  if (lines.empty()) lines = machine.lines("/proc/self/limits");
  const auto soft = number_in(lines, "Max open files");
  if (!soft) return skipped("the limits of processes cannot be read");
  std::string measured = (who == "self" ? "a program started here" : "the daemon") + std::string{" may open "} +
                         std::to_string(*soft) + " files";
  if (const auto open = machine.names("/proc/" + who + "/fd"); who != "self" && !open.empty())
    measured += ", has " + std::to_string(open.size());
  if (*soft < enough)
    return warned(measured, "with many slots and uploads at once the daemon runs out of them",
                  {machine.has("/run/systemd/system") ? more_files_for_unit + examination.restart() : "ulimit -n 65536",
                   "the package's unit allows 65536; outside of systemd, start the daemon anew from a shell with more"});
  std::uint64_t used = 0, unused = 0, most = 0;
  std::istringstream{machine.text("/proc/sys/fs/file-nr")} >> used >> unused >> most;
  if (most > 0 && used > most / 10 * 9)
    return warned(measured + "; " + std::to_string(used) + " of " + std::to_string(most) + " on the whole machine",
                  "this machine runs out of open files", {"sysctl -w fs.file-max=" + std::to_string(most * 2)});
  return passed(measured);
}

namespace {

std::string start_time_service(const Machine& machine) {
  return install_command(machine, "chrony", "chrony") + " && systemctl enable --now " + (is_debian(machine) ? "chrony" : "chronyd");
}

}  // namespace

std::string time_service(const Machine& machine) {
  for (const auto& name : machine.names("/proc")) {
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string command{trim(machine.text("/proc/" + name + "/comm"))};
    for (const char* known : {"chronyd", "ntpd", "systemd-timesyn", "openntpd", "ptp4l", "phc2sys"})
      if (command == known) return command == "systemd-timesyn" ? "systemd-timesyncd" : command;
  }
  return {};
}

std::string set_clock(const Machine& machine) {
  return time_service(machine) == "chronyd" ? "chronyc makestep" : start_time_service(machine);
}

Finding check_time_service(Examination& examination) {
  const std::string service = time_service(examination.machine);
  const bool right = examination.clock_is_synchronised();
  const std::string measured = (service.empty() ? "no time service" : service) +
                               std::string{right ? ", the clock is synchronised" : ", the clock is not synchronised"};
  if (right) return passed(measured);
  if (service.empty())
    return warned(measured, "the clock drifts, until servers refuse what we sign", {start_time_service(examination.machine)});
  return warned(measured, service + " has no time source yet",
                {service == "chronyd" ? "chronyc sources -v" : "timedatectl timesync-status",
                 "set a time server that can be reached from here, in /etc/chrony.conf or where " + service + " is configured"});
}

namespace {

/// avg60 of the line "some" or "full" in a file of /proc/pressure, in percent.
double pressure(const Machine& machine, const std::string& what, std::string_view line) {
  for (const auto& each : machine.lines("/proc/pressure/" + what)) {
    const auto at = each.find("avg60=");
    if (each.starts_with(line) && at != std::string::npos) return std::strtod(each.c_str() + at + 6, nullptr);
  }
  return 0;
}

}  // namespace

Finding check_pressure(Examination& examination) {
  const Machine& machine = examination.machine;
  const auto memory = machine.lines("/proc/meminfo");
  const auto total = number_in(memory, "MemTotal:"), available = number_in(memory, "MemAvailable:");
  std::ostringstream measured;
  measured.precision(1);
  measured << std::fixed << "kernel " << release_of(machine);
  if (total && available && *total > 0) measured << ", " << 100 * *available / *total << " % of memory available";
  if (!machine.has("/proc/pressure/memory")) {
    if (!total) return skipped("/proc cannot be read");
    return passed(measured.str() + ", no pressure figures");
  }
  const double stalled = pressure(machine, "memory", "full"), disk = pressure(machine, "io", "full"),
               cpu = pressure(machine, "cpu", "some");
  measured << ", stalled in the last minute: memory " << stalled << " %, disk " << disk << " %, processor " << cpu
           << " %";
  if (stalled > 10)
    return warned(measured.str(), "this machine has too little memory for what runs on it; tests will time out",
                  {"ps -eo rss,pid,user,comm --sort=-rss | head", "lower slots, or set limits.memory of jobs"});
  if (total && available && *available < *total / 20)
    return warned(measured.str(), "less than a twentieth of the memory is available",
                  {"ps -eo rss,pid,user,comm --sort=-rss | head"});
  if (disk > 50) return warned(measured.str(), "everything waits for the disk most of the time", {"iostat -x 5 3"});
  return passed(measured.str());
}

}  // namespace outpost::doctor
