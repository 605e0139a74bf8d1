#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/shown.hpp"
#include "agent/config/dci_setup.hpp"

#include <boost/json/array.hpp>

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <iostream>

namespace outpost::cli {
namespace {

/// Writes a new file, or in place of the old one when that is wanted; says what went wrong.
bool write_configuration(const std::filesystem::path& path, const std::string& text, bool replace) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (replace ? O_TRUNC : O_EXCL), 0640);
  const bool written = file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int code = errno;
  if (file >= 0) ::close(file);
  if (written) return true;
  std::cerr << "outpost: cannot write " << path.string() << ": " << std::strerror(code)
            << (code == EEXIST ? " (--force replaces it)" : "") << "\n";
  return false;
}

}  // namespace

int set_up(const SetupOptions& options) {
  const auto made = config::setup_from_dci(options.from_dci);
  if (!made) {
    std::cerr << "outpost: " << made.error().message << "\n";
    return exit_negative;
  }
  if (!options.output.empty() && !write_configuration(options.output, made->configuration, options.force)) return exit_negative;
  if (options.as_json) {
    print_document("outpost-setup", {{"configuration", made->configuration},
                                     {"file", options.output.string()},
                                     {"notes", boost::json::array(made->notes.begin(), made->notes.end())}});
    return exit_ok;
  }
  if (options.output.empty()) std::cout << made->configuration;
  for (const auto& note : made->notes) std::cerr << "note: " << note << "\n";
  if (options.output.empty()) return exit_ok;
  std::cerr << "written: " << options.output.string() << "; next: outpost config check --config " << options.output.string() << "\n";
  return exit_ok;
}

}  // namespace outpost::cli
