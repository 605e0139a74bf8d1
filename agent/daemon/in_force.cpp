#include "agent/daemon/in_force.hpp"

#include "agent/daemon/client.hpp"
#include "agent/daemon/last_good.hpp"

#include <unistd.h>

namespace outpost::daemon {

namespace fs = std::filesystem;

bool has_journal(const fs::path& state_directory) {
  std::error_code ignored;
  return fs::exists(state_directory / "journal.db", ignored);
}

std::optional<InForce> last_good_of(const fs::path& file, const fs::path& state_directory) {
  auto good = read_last_good(state_directory, file);
  if (!good || !*good) return std::nullopt;
  std::error_code ignored;
  auto again = config::load_texts(std::move((*good)->texts), fs::absolute(file, ignored).parent_path(),
                                  config::environment_of(environ), source_types());
  if (!again || again->settings.state_directory != state_directory) return std::nullopt;
  return InForce{file, std::move(again->settings), std::move(again->texts), (*good)->since, {}};
}

Result<InForce> configuration_of(const fs::path& file) {
  const auto environment = config::environment_of(environ);
  auto loaded = config::load(file, environment, source_types());
  if (loaded) return InForce{file, std::move(loaded->settings), std::move(loaded->texts), SystemClock{}.now(), {}};
  const Error wrong{Fault::malformed, loaded.error().text()};
  const auto state_directory = config::places_of(file, environment).state_directory;
  if (!has_journal(state_directory)) return wrong;
  auto good = last_good_of(file, state_directory);
  if (!good) return wrong;
  good->problem = wrong.message;
  return *std::move(good);
}

}  // namespace outpost::daemon
