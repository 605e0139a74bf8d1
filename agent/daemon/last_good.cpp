#include "agent/daemon/last_good.hpp"

#include "agent/base/text.hpp"
#include "agent/config/small_file.hpp"
#include "agent/files/durable_file.hpp"
#include "agent/job/event.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace outpost::daemon {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr std::size_t longest = 64 << 20;  ///< Bytes: a few files of 1 MiB.

fs::path place_in(const fs::path& state_directory) { return state_directory / "last-good.json"; }

std::string whole(const fs::path& file) {
  std::error_code ignored;
  return fs::absolute(file, ignored).lexically_normal().string();
}

}  // namespace

Result<void> keep_last_good(const fs::path& state_directory, const fs::path& file, const LastGood& good) {
  json::array texts;
  for (const auto& [name, text] : good.texts) texts.push_back(json::object{{"name", name}, {"text", text}});
  const json::object kept{{"file", whole(file)}, {"since", to_rfc3339(good.since)}, {"texts", std::move(texts)}};
  return files::write_durably(place_in(state_directory), json::serialize(kept) + "\n", 0600);
}

Result<std::optional<LastGood>> read_last_good(const fs::path& state_directory, const fs::path& file) {
  const fs::path place = place_in(state_directory);
  std::error_code ignored;
  if (!fs::exists(place, ignored)) return std::optional<LastGood>{};
  const auto content = config::read_small_file(place, longest);
  if (!content) return content.error();
  boost::system::error_code error;
  const json::value parsed = json::parse(*content, error);
  if (error || !parsed.is_object()) return Error{Fault::malformed, place.string() + " cannot be read: " + error.message()};
  const auto& kept = parsed.get_object();
  const auto* texts = kept.if_contains("texts");
  if (job::text_at(kept, "file") != whole(file) || !texts || !texts->is_array()) return std::optional<LastGood>{};
  LastGood good{.since = parse_rfc3339(job::text_at(kept, "since")).value_or(Timestamp{}), .texts = {}};
  for (const auto& each : texts->get_array())
    if (each.is_object()) good.texts.push_back({job::text_at(each.get_object(), "name"), job::text_at(each.get_object(), "text")});
  return std::optional{std::move(good)};
}

}  // namespace outpost::daemon
