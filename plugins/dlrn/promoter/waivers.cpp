#include "plugins/dlrn/promoter/waivers.hpp"

#include "agent/config/fields.hpp"
#include "agent/config/small_file.hpp"

#include <system_error>

namespace outpost::promoter {

using config::Fields;
using config::Node;

namespace {

constexpr const char* example =
    "[{target: current-tripleo, job: periodic-x, hash: 1b97..., until: 2026-12-24, by: jane, why: known bug}]";

Waiver read_waiver(config::Reading& reading, std::vector<config::KnownKey>& known, const Node& item) {
  Fields entry{reading, known, item, "waivers", {"waivers"}};
  Waiver waiver;
  waiver.where = item.origin;
  std::string until;
  const std::pair<const char*, std::string*> keys[] = {{"target", &waiver.target}, {"job", &waiver.job},
                                                       {"hash", &waiver.hash},     {"until", &until},
                                                       {"by", &waiver.by},         {"why", &waiver.why}};
  for (const auto& [key, into] : keys) {
    entry.read(key, *into, config::as_text);
    if (item.kind == Node::Kind::map && item.find(key) == nullptr)
      entry.missing(key, std::string{"example: "} + example);
  }
  entry.finish("x-");
  const auto day = until.size() == 10 ? parse_rfc3339(until + "T00:00:00Z") : std::nullopt;
  if (day)
    waiver.until = *day + std::chrono::days{1};
  else if (!until.empty())
    entry.problem("until", config::quote(until) + " is not a day (example: 2026-12-24)");
  return waiver;
}

}  // namespace

boost::system::result<std::vector<Waiver>, config::Problems> load_waivers(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error) && !error) return std::vector<Waiver>{};
  const config::ZoneLookup no_zones;
  config::Reading reading{file.parent_path(), no_zones, {}, {}};
  const auto text = config::read_small_file(file, config::yaml_bytes);
  if (!text) {
    reading.problems.list.push_back({{file.string(), 0, 0}, text.error().message});
    return reading.problems;
  }
  const auto parsed = config::parse_yaml(*text, file.string(), reading.problems);
  std::vector<Waiver> waivers;
  std::vector<config::KnownKey> known;
  if (parsed.root.kind != Node::Kind::null)
    for (const auto& item : config::items_of(reading, parsed.root, "waivers", example))
      waivers.push_back(read_waiver(reading, known, item));
  if (!reading.problems.list.empty()) return reading.problems;
  return waivers;
}

}  // namespace outpost::promoter
