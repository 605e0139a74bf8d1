#include "plugins/hooks/last_run.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"

#include <cstdlib>
#include <fstream>
#include <system_error>

namespace outpost::hooks {
namespace {

namespace fs = std::filesystem;

/// Empty: there is no place for it.
fs::path file_of(const fs::path& plugin) {
  fs::path state;
  if (const char* own = std::getenv("XDG_STATE_HOME"); own && *own == '/') state = own;
  else if (const char* home = std::getenv("HOME"); home && *home == '/') state = fs::path{home} / ".local/state";
  if (state.empty()) return {};
  std::error_code error;
  const auto whole = fs::weakly_canonical(fs::absolute(plugin, error), error);
  return state / "outpost/unmatched" / sha256_hex(whole.native()).substr(0, 32);
}

}  // namespace

void note_unmatched(const fs::path& plugin, const std::vector<std::string>& globs) {
  const auto file = file_of(plugin);
  std::error_code ignored;
  if (file.empty()) return;
  if (globs.empty()) {
    fs::remove(file, ignored);
    return;
  }
  fs::create_directories(file.parent_path(), ignored);
  std::ofstream{file} << join(globs, "\n") << "\n";
}

std::vector<std::string> unmatched_in_last_run(const fs::path& plugin) {
  std::vector<std::string> globs;
  std::ifstream file{file_of(plugin)};
  for (std::string line; std::getline(file, line);) globs.push_back(line);
  return globs;
}

}  // namespace outpost::hooks
