#include "agent/doctor/checks.hpp"

#include "agent/base/shell_word.hpp"
#include "agent/base/text.hpp"
#include "agent/config/credentials.hpp"

#include <sys/timex.h>

#include <algorithm>
#include <array>

namespace outpost::doctor {
namespace {

constexpr std::array<Check, 26> checks{{
    {"D01", "config", "configuration", check_configuration},
    {"D02", "net", "name resolution", check_names},
    {"D03", "net", "connection", check_connections},
    {"D04", "net", "proxy", check_proxy},
    {"D05", "tls", "certificate", check_certificates},
    {"D06", "time", "clock against server", check_clock},
    {"D07", "server", "credentials", check_identity},
    {"D08", "server", "API of the server", check_api},
    {"D09", "server", "topics", check_topics},
    {"D10", "disk", "space and inodes", check_space},
    {"D11", "disk", "spool writable, sync time", check_spool},
    {"D12", "cgroup", "control groups", check_cgroups},
    {"D13", "perm", "users", check_users},
    {"D14", "selinux", "SELinux denials", check_selinux},
    {"D15", "disk", "noexec mounts", check_noexec},
    {"D16", "plugins", "plugins", check_plugins},
    {"D17", "plugins", "required commands", check_requirements},
    {"D18", "power", "lab machines", check_lab_hosts},
    {"D19", "net", "DHCP and TFTP servers", check_boot_services},
    {"D20", "net", "registries and mirrors", check_other_servers},
    {"D21", "perm", "open files", check_descriptors},
    {"D22", "service", "service and unit", check_unit},
    {"D23", "time", "time service", check_time_service},
    {"D24", "cgroup", "kernel and pressure", check_pressure},
    {"D25", "service", "versions", check_versions},
    {"D26", "service", "leftovers", check_leftovers},
}};

bool is_wanted(const Check& check, std::span<const std::string> wanted) {
  return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), [&](const std::string& word) {
           return word == check.id || word == check.group;
         });
}

/// adjtimex(2): a time service clears STA_UNSYNC.
bool kernel_clock_is_synchronised() {
  timex asked{};
  const int state = ::adjtimex(&asked);
  return state >= 0 && state != TIME_ERROR && (asked.status & STA_UNSYNC) == 0;
}

Row looked_at(const Check& check, Examination& examination, bool repair) {
  Row row{check.id, check.group, check.name, check.look(examination), {}};
  if (!repair || !row.finding.repair) return row;
  const auto done = row.finding.repair();
  if (!done) {
    row.finding.problem += "\ncould not be repaired: " + done.error().message;
    return row;
  }
  row.finding = check.look(examination);
  row.repaired = *done;
  return row;
}

}  // namespace

Examination::Examination(std::filesystem::path configuration, config::Environment variables, Machine where,
                         Outside& others, std::span<const config::SourceType> types)
    : file{std::move(configuration)},
      environment{std::move(variables)},
      machine{std::move(where)},
      outside{others},
      clock_is_synchronised{kernel_clock_is_synchronised} {
  auto read = config::load(file, environment, types);
  if (read) {
    places = {read->settings.state_directory, read->settings.runtime_directory};
    loaded = std::move(*read);
  } else {
    problems = read.error();
    places = config::places_of(file, environment);
  }
  auto said = outside.status(places.runtime_directory / "api.sock");
  if (said)
    status = std::move(*said);
  else
    no_status = said.error().message;
}

std::string Examination::url_of(const config::Source& source) const {
  if (!source.url.empty()) return source.url;
  const auto credentials = config::read_credentials(source, config::credentials_directory(environment));
  return credentials ? credentials->url : "";
}

const Result<ServerAnswer>& Examination::answer(const config::Source& source) {
  const auto known = answers.find(source.name);
  if (known != answers.end()) return known->second;
  return answers.emplace(source.name, outside.who_are_we(source)).first->second;
}

std::string Examination::edit(const std::string& key) const {
  if (!loaded) return {};
  return edit(config::nearest_origin(loaded->origins, key, loaded->file));
}

std::string Examination::edit(const config::Origin& where) const {
  const auto path = file.parent_path() / where.file;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return {};
  return "${EDITOR:-vi} " + (where.line > 0 ? "+" + std::to_string(where.line) + " " : std::string{}) + shell_word(path.string());
}

std::string Examination::command(const std::string& words) const { return "outpost " + words + " --config " + shell_word(file.string()); }

std::string Examination::restart() const { return (status ? command("drain --wait") + " && " : std::string{}) + "systemctl restart outpostd"; }

bool Examination::steps_are_units() const {
  if (status)
    if (const auto* runner = status->if_contains("runner"); runner && runner->is_string()) return *runner == "systemd";
  if (!settings() || settings()->runner == config::Runner::local) return false;
  if (settings()->runner == config::Runner::systemd) return true;
  return machine.has("/run/systemd/system") && (machine.has("/usr/lib/systemd/system/outpost-step@.service") ||
                                                machine.has("/etc/systemd/system/outpost-step@.service"));
}

std::span<const Check> all_checks() { return checks; }

Report examine(Examination& examination, std::span<const std::string> wanted, bool repair) {
  Report report;
  for (const auto& check : checks)
    if (is_wanted(check, wanted)) report.rows.push_back(looked_at(check, examination, repair));
  return report;
}

void Findings::add(Finding finding) { list_.push_back(std::move(finding)); }

Finding Findings::all(std::string none) && {
  if (list_.empty()) return skipped(std::move(none));
  const auto rank = [](const Finding& finding) {
    switch (finding.verdict) {
      case Verdict::fail: return 3;
      case Verdict::warn: return 2;
      case Verdict::pass: return 1;
      case Verdict::skip: break;
    }
    return 0;
  };
  // The worst first: its fix is what has to be done first.
  std::vector<Finding> sorted;
  for (int wanted = 3; wanted >= 0; --wanted)
    for (auto& finding : list_)
      if (rank(finding) == wanted) sorted.push_back(std::move(finding));
  Finding whole = sorted.front();
  const auto append = [](std::string& to, const std::string& more) {
    if (!more.empty() && ("\n" + to + "\n").find("\n" + more + "\n") == std::string::npos)
      to += (to.empty() ? "" : "\n") + more;
  };
  for (std::size_t at = 1; at < sorted.size(); ++at) {
    append(whole.measured, sorted[at].measured);
    append(whole.problem, sorted[at].problem);
    append(whole.fix, sorted[at].fix);
    append(whole.advice, sorted[at].advice);
    if (!whole.repair) whole.repair = sorted[at].repair;
  }
  return whole;
}

}  // namespace outpost::doctor
