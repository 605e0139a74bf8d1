#include "agent/cli/stage_argument.hpp"

#include "agent/base/text.hpp"

#include <algorithm>
#include <vector>

namespace outpost::cli {

std::string no_such_stage(const std::string& name, std::span<const job::Stage> stages) {
  std::vector<std::string> names;
  for (const auto stage : stages) names.emplace_back(to_string(stage));
  auto near = nearest(name, names);
  if (const auto meant = job::stage_meant_by(name); meant && std::find(stages.begin(), stages.end(), *meant) != stages.end()) near = to_string(*meant);
  return "there is no stage \"" + printable(name, 80) + "\"" + (near ? " (did you mean \"" + *near + "\"?)" : " (" + join(names, ", ") + ")");
}

}  // namespace outpost::cli
