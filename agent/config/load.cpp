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

namespace {

/// What a reading is made with, beside the texts.
struct Circumstances {
  const std::filesystem::path& directory;
  const Environment& environment;
  std::span<const SourceType> source_types;
  const ZoneLookup& zones;
};

/// Into `loaded` comes what can be made out, also when there are problems.
Problems read_texts_into(Loaded& loaded, Problems problems, bool all_there, const Circumstances& with) {
  Layers layers = lay_texts(loaded.texts, problems);
  // What is missing from half a file says nothing.
  if (!layers.complete || !all_there) {
    sort(problems, layers.files);
    return problems;
  }

  // The first reading only learns which keys there are, for the variables.
  std::vector<KnownKey> known;
  Reading scout{.directory = with.directory, .zones = with.zones, .problems = {}, .origins = {}};
  (void)decode(scout, layers.tree, with.source_types, known);
  apply_environment(layers.tree, with.environment, known, problems);

  Reading reading{.directory = with.directory, .zones = with.zones, .problems = std::move(problems), .origins = {}};
  loaded.settings = decode(reading, layers.tree, with.source_types, known);
  loaded.file = layers.files.front();
  loaded.origins = std::move(reading.origins);
  sort(reading.problems, layers.files);
  return std::move(reading.problems);
}

/// `key: value` at the beginning of a line of a file that is no YAML as a whole.
std::string value_in(const Texts& texts, std::string_view key) {
  std::string value;
  for (const auto& [name, text] : texts) {
    for (std::string_view line : split(text, '\n')) {
      if (!line.starts_with(key) || line.substr(key.size(), 1) != ":") continue;
      line = trim(line.substr(key.size() + 1));
      if (line.size() >= 2 && (line.front() == '"' || line.front() == '\''))
        value = line.substr(1, line.find(line.front(), 1) - 1);
      else
        value = trim(line.substr(0, line.find(" #")));
    }
  }
  return value;
}

}  // namespace

boost::system::result<Loaded, Problems> load(const std::filesystem::path& file, const Environment& environment,
                                             std::span<const SourceType> source_types, const ZoneLookup& zones) {
  std::error_code ignored;
  const auto whole_path = std::filesystem::absolute(file, ignored);
  Problems problems;
  Loaded loaded;
  auto read = read_texts(whole_path, problems);
  loaded.texts = std::move(read.texts);
  const auto directory = whole_path.parent_path();
  problems = read_texts_into(loaded, std::move(problems), read.complete, {directory, environment, source_types, zones});
  if (problems.list.empty()) return loaded;
  return problems;
}

boost::system::result<Loaded, Problems> load_texts(Texts texts, const std::filesystem::path& directory,
                                                   const Environment& environment,
                                                   std::span<const SourceType> source_types, const ZoneLookup& zones) {
  Loaded loaded;
  loaded.texts = std::move(texts);
  const bool all_there = !loaded.texts.empty();
  Problems problems = read_texts_into(loaded, {}, all_there, {directory, environment, source_types, zones});
  if (!all_there) problems.list.push_back({{"outpost.yml", 0, 0}, "there is nothing of it"});
  if (problems.list.empty()) return loaded;
  return problems;
}

Places places_of(const std::filesystem::path& file, const Environment& environment) {
  std::error_code ignored;
  const auto whole_path = std::filesystem::absolute(file, ignored);
  const auto directory = whole_path.parent_path();
  Problems problems;
  const Texts texts = read_texts(whole_path, problems).texts;
  const Settings defaults;
  const auto place = [&](std::string_view key, const std::filesystem::path& otherwise) {
    const auto variable = environment.find("OUTPOST_CFG_" + to_upper(std::string{key}));
    const std::string value = variable != environment.end() ? variable->second : value_in(texts, key);
    return value.empty() ? otherwise : (directory / value).lexically_normal();
  };
  return {place("state_directory", defaults.state_directory), place("runtime_directory", defaults.runtime_directory)};
}

}  // namespace outpost::config
