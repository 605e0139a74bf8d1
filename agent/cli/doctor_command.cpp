#include "agent/base/text.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/terminal.hpp"
#include "agent/daemon/client.hpp"
#include "agent/daemon/examine.hpp"

#include <boost/json/serialize.hpp>

#include <unistd.h>
#include <algorithm>
#include <iostream>

namespace outpost::cli {

int examine(const DoctorOptions& options) {
  const auto checks = doctor::all_checks();
  for (const auto& word : options.checks) {
    const bool known = std::any_of(checks.begin(), checks.end(),
                                   [&](const doctor::Check& check) { return word == check.id || word == check.group; });
    if (known) continue;
    std::cerr << "outpost: there is no check or group " << printable(word, 80) << "; see: man outpost-doctor\n";
    return exit_usage;
  }
  const auto types = daemon::source_types();
  const auto outside = daemon::real_outside();
  doctor::Examination examination{options.config, config::environment_of(environ), doctor::Machine{}, *outside, types};
  const auto report = doctor::examine(examination, options.checks, options.fix);
  if (options.as_json)
    std::cout << boost::json::serialize(doctor::to_json(report)) << "\n";
  else
    std::cout << doctor::to_text(report, may_colour(STDOUT_FILENO));
  return report.worst() == doctor::Verdict::fail ? exit_negative : exit_ok;
}

}  // namespace outpost::cli
