#pragma once

#include "agent/doctor/machine.hpp"
#include "agent/doctor/outside.hpp"
#include "agent/doctor/report.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What `outpost doctor` looks at: whether this machine, this configuration and the way to the control servers are such
/// that the agent can do its work. It needs neither the daemon nor a server.
namespace outpost::doctor {

/// Everything that the checks look at, and what an earlier one has learnt for the later ones.
struct Examination {
  std::filesystem::path file;  ///< outpost.yml
  config::Environment environment;
  Machine machine;
  Outside& outside;

  config::Problems problems{};                            ///< Why the configuration cannot be read.
  std::optional<config::Loaded> loaded{};                 ///< None: it cannot.
  config::Places places{};                                ///< Known of a wrong configuration too.
  std::map<std::string, Result<ServerAnswer>> answers{};  ///< By source.
  std::optional<boost::json::object> status{};            ///< The daemon's, when it answers.
  std::string no_status{};                                ///< Why it does not.
  /// Whether the kernel has been told that the clock is right.
  std::function<bool()> clock_is_synchronised;

  /// Reads the configuration and asks the daemon.
  Examination(std::filesystem::path configuration, config::Environment variables, Machine where, Outside& others,
              std::span<const config::SourceType> types);

  [[nodiscard]] const config::Settings* settings() const { return loaded ? &loaded->settings : nullptr; }
  /// Where a source's server is; "" when only its credentials say it, and they cannot be read.
  [[nodiscard]] std::string url_of(const config::Source& source) const;
  /// Asked once.
  const Result<ServerAnswer>& answer(const config::Source& source);
  /// A command that opens the configuration where the key is written, or what it is part of.
  [[nodiscard]] std::string edit(const std::string& key) const;
  /// The same for a place in one of its files; `where` may be the name of a variable, which no editor opens: "".
  [[nodiscard]] std::string edit(const config::Origin& where) const;
  /// A command of ours with this configuration: "outpost server topics --config /etc/outpost/outpost.yml".
  [[nodiscard]] std::string command(const std::string& words) const;
  /// A command that starts the service anew, when the jobs of a daemon that answers have ended.
  [[nodiscard]] std::string restart() const;
  /// Steps run as units of systemd: the daemon says so, or will when it starts.
  [[nodiscard]] bool steps_are_units() const;
};

/// One of the 26 things that are looked at. The manual page outpost-doctor(7) has a section for each.
struct Check {
  std::string_view id;     ///< "D06"; for ever.
  std::string_view group;  ///< "time": several may be chosen together.
  std::string_view name;   ///< "clock against server"
  Finding (*look)(Examination& examination);
};

/// All of them in the order of their ids.
[[nodiscard]] std::span<const Check> all_checks();

/// Runs the checks that are named by id or group; all when none is named. With `repair` what can be repaired without
/// harm is, and looked at again.
[[nodiscard]] Report examine(Examination& examination, std::span<const std::string> wanted, bool repair);

// By file; the numbers are those of their ids.
Finding check_configuration(Examination& examination);  // D01
Finding check_plugins(Examination& examination);        // D16
Finding check_requirements(Examination& examination);   // D17

Finding check_names(Examination& examination);          // D02
Finding check_connections(Examination& examination);    // D03
Finding check_proxy(Examination& examination);          // D04
Finding check_lab_hosts(Examination& examination);      // D18
Finding check_other_servers(Examination& examination);  // D20

Finding check_certificates(Examination& examination);  // D05
Finding check_clock(Examination& examination);         // D06
Finding check_identity(Examination& examination);      // D07
Finding check_api(Examination& examination);           // D08
Finding check_topics(Examination& examination);        // D09

Finding check_space(Examination& examination);   // D10
Finding check_spool(Examination& examination);   // D11
Finding check_noexec(Examination& examination);  // D15

Finding check_cgroups(Examination& examination);        // D12
Finding check_users(Examination& examination);          // D13
Finding check_selinux(Examination& examination);        // D14
Finding check_boot_services(Examination& examination);  // D19
Finding check_descriptors(Examination& examination);    // D21
Finding check_time_service(Examination& examination);   // D23
Finding check_pressure(Examination& examination);       // D24

Finding check_unit(Examination& examination);       // D22
Finding check_versions(Examination& examination);   // D25
Finding check_leftovers(Examination& examination);  // D26

/// The time service that runs, by the name of its process; "" when there is none.
[[nodiscard]] std::string time_service(const Machine& machine);
/// A command that sets this machine's clock right, now or for ever.
[[nodiscard]] std::string set_clock(const Machine& machine);

/// For checks of several things: the worst finding of all, whose lines it has; what was measured of the others is kept.
class Findings {
 public:
  void add(Finding finding);
  /// `none`: why there is nothing to look at.
  [[nodiscard]] Finding all(std::string none) &&;

 private:
  std::vector<Finding> list_;
};

}  // namespace outpost::doctor
