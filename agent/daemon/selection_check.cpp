#include "agent/daemon/selection_check.hpp"

#include "agent/daemon/definition.hpp"
#include "plugins/dci/dci.hpp"

namespace outpost::daemon {

std::vector<std::string> check_selections(const config::Loaded& loaded) {
  std::vector<std::string> lines;
  for (const auto& job : loaded.settings.jobs) {
    const auto source = loaded.settings.sources.find(job.source);
    if (source == loaded.settings.sources.end() || source->second.type != "dci") continue;
    const auto selections = definition_of(job).selections;
    for (std::size_t index = 0; index < selections.size(); ++index) {
      const auto checked = dci::check_selection(selections[index]);
      if (checked) continue;
      const auto where = config::nearest_origin(
          loaded.origins, "jobs." + job.name + ".components[" + std::to_string(index) + "]", loaded.file);
      lines.push_back(where.text() + ": jobs.components: " + checked.error().message);
    }
  }
  return lines;
}

}  // namespace outpost::daemon
