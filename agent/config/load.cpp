#include "agent/config/load.hpp"

#include "agent/base/text.hpp"
#include "agent/config/decode.hpp"
#include "agent/config/layers.hpp"

#include <algorithm>
#include <tuple>

namespace outpost::config {
namespace {

/// By file in the order of reading, then by line; what concerns no file comes last.
void sort(Problems& problems, const std::vector<std::string>& files) {
  const auto rank = [&](const Problem& problem) {
    const auto file = std::find(files.begin(), files.end(), problem.where.file) - files.begin();
    return std::tuple{file, problem.where.line, problem.where.column, std::string_view{problem.message}};
  };
  std::sort(problems.list.begin(), problems.list.end(),
            [&](const Problem& left, const Problem& right) { return rank(left) < rank(right); });
}

}  // namespace

Environment environment_of(const char* const* variables) {
  Environment environment;
  for (; variables != nullptr && *variables != nullptr; ++variables) {
    const std::string_view entry = *variables;
    const auto equals = entry.find('=');
    if (equals != std::string_view::npos) environment.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return environment;
}

boost::system::result<Loaded, Problems> load(const std::filesystem::path& file, const Environment& environment,
                                             std::span<const SourceType> source_types, const ZoneLookup& zones) {
  std::error_code ignored;
  const auto whole_path = std::filesystem::absolute(file, ignored);
  Problems problems;
  Layers layers = read_layers(whole_path, problems);
  // What is missing from half a file says nothing.
  if (!layers.complete) {
    sort(problems, layers.files);
    return problems;
  }

  // The first reading only learns which keys there are, for the variables.
  std::vector<KnownKey> known;
  Reading scout{.directory = whole_path.parent_path(), .zones = zones, .problems = {}, .origins = {}};
  (void)decode(scout, layers.tree, source_types, known);
  apply_environment(layers.tree, environment, known, problems);

  Reading reading{
      .directory = whole_path.parent_path(), .zones = zones, .problems = std::move(problems), .origins = {}};
  Loaded loaded{
      .settings = decode(reading, layers.tree, source_types, known), .origins = {}, .file = layers.files.front()};
  loaded.origins = std::move(reading.origins);
  if (reading.problems.list.empty()) return loaded;
  sort(reading.problems, layers.files);
  return std::move(reading.problems);
}

}  // namespace outpost::config
