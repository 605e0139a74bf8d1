#include "agent/base/text.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/shown.hpp"
#include "agent/daemon/publish.hpp"

#include <boost/json/array.hpp>

#include <iostream>

namespace outpost::cli {

int publish(const PublishCommandOptions& options) {
  const auto answer = daemon::publish({.to = options.to,
                                       .port = options.port,
                                       .key = options.key,
                                       .known_hosts = options.known_hosts,
                                       .file = options.file,
                                       .content = options.content,
                                       .name = options.name,
                                       .label = options.label,
                                       .dry_run = options.dry_run});
  if (!answer) {
    std::cerr << "outpost: " << printable(answer.error().message) << "\n";
    return answer.error().fault == Fault::malformed ? exit_usage : exit_negative;
  }
  if (options.as_json) {
    print_document("outpost-publish", {{"name", answer->name},
                                       {"server", answer->server},
                                       {"label", options.label},
                                       {"dry_run", options.dry_run},
                                       {"done", boost::json::array(answer->lines.begin(), answer->lines.end())}});
    return exit_ok;
  }
  for (const auto& line : answer->lines) std::cout << (options.dry_run ? "would do: " : "") << printable(line) << "\n";
  if (answer->lines.empty()) std::cout << options.label << " leads to " << printable(answer->name) << " already\n";
  return exit_ok;
}

}  // namespace outpost::cli
