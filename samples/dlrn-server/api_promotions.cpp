// Labels and what they are, and what the builder builds: the part of Api about promotions.
#include "samples/dlrn-server/api.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/text.hpp"
#include "agent/http/url.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <charconv>
#include <set>

namespace outpost::sample_builder {
namespace {

namespace json = boost::json;

/// What is to be promoted, as it was given.
struct Item {
  std::string commit, distro, label;
  std::optional<std::string> extended;
};

/// A reserved label comes before missing hashes, and these before a missing label.
Item read_item(const json::value& given, Arguments& arguments) {
  (void)as_object(given);
  const auto commit = arguments.text("commit_hash"), distro = arguments.text("distro_hash");
  Item item;
  item.extended = arguments.text("extended_hash");
  item.label = arguments.text("promote_name", true).value_or("");
  if (item.label == "current" || item.label == "consistent") throw Refusal{403, "Invalid promote_name " + item.label};
  item.commit = commit.value_or("");
  item.distro = distro.value_or("");
  if (item.commit.empty() || item.distro.empty()) throw Refusal{400, "Both commit_hash and distro_hash must be specified."};
  return item;
}

/// The start of a day of UTC, in seconds; digits may be left out as in 2026-1-2.
std::int64_t day_of(const std::string& date) {
  const auto parts = split(date, '-');
  std::string full;
  bool good = parts.size() == 3;
  for (std::size_t i = 0; good && i < 3; ++i) {
    const std::size_t width = i == 0 ? 4 : 2;
    good = !parts[i].empty() && parts[i].size() <= width && (i > 0 || parts[i].size() == width);
    full += (i > 0 ? "-" : "") + std::string(good ? width - parts[i].size() : 0, '0') + parts[i];
  }
  const auto moment = good ? parse_rfc3339(full + "T00:00:00Z") : std::nullopt;
  if (!moment) throw Refusal{400, "Invalid date format, it must be YYYY-mm-dd"};
  return std::chrono::floor<std::chrono::seconds>(*moment).time_since_epoch().count();
}

/// In the two answers about a promotion its time is a float, everywhere else it is an integer.
json::value with_float_time(json::object row) {
  row["timestamp"] = static_cast<double>(row.at("timestamp").get_int64());
  return row;
}

}  // namespace

json::object Api::row_of(const Promotion& promotion) const {
  const Build& build = builder_.builds()[promotion.build];
  return {{"commit_hash", build.commit}, {"distro_hash", or_null(build.distro)}, {"extended_hash", or_null(build.extended)}, {"component", or_null(build.component)},
          {"aggregate_hash", or_null(promotion.aggregate)}, {"repo_hash", build.repo_hash()}, {"repo_url", builder_.url_of(build)},
          {"promote_name", promotion.label}, {"timestamp", promotion.timestamp}, {"user", promotion.user}};
}

json::value Api::promotions(const Call& call) {
  Arguments arguments{as_object(call.given)};
  const auto commit = arguments.text("commit_hash"), distro = arguments.text("distro_hash"), extended = arguments.text("extended_hash");
  const auto aggregate = arguments.text("aggregate_hash"), label = arguments.text("promote_name");
  const auto offset = arguments.count("offset"), limit = arguments.count("limit");
  const auto component = arguments.text("component");
  const bool of_build = !commit.value_or("").empty();
  if (of_build != !distro.value_or("").empty()) throw Refusal{400, "Both commit_hash and distro_hash must be specified if one of them is."};
  arguments.check();
  const auto build = of_build ? std::optional{build_of(*commit, *distro, extended)} : std::nullopt;
  json::array rows;
  std::int64_t left_out = 0;
  const auto most = limit ? static_cast<std::size_t>(std::min<std::int64_t>(*limit, 100)) : builder_.promotions().size();
  for (auto one = builder_.promotions().rbegin(); one != builder_.promotions().rend() && rows.size() < most; ++one) {
    const bool fits = (!build || one->build == *build) && (!aggregate || one->aggregate == *aggregate) && (!label || one->label == *label) &&
                      (!component || (!component->empty() && builder_.builds()[one->build].component == *component));
    if (fits && left_out++ >= offset.value_or(0)) rows.push_back(row_of(*one));
  }
  return rows;
}

json::value Api::promote(const Call& call) {
  Arguments arguments{as_object(call.given)};
  const Item item = read_item(call.given, arguments);
  arguments.check();
  Promotion wanted{.build = build_of(item.commit, item.distro, item.extended), .label = item.label, .user = call.user, .aggregate = std::nullopt};
  builder_.check_promotion(wanted);
  return with_float_time(row_of(builder_.promote({wanted}).back()));
}

/// All are read before one is looked at; then each is checked to its end, and all before one is moved.
json::value Api::promote_batch(const Call& call) {
  if (!call.given.is_array()) throw Refusal{400, "value is not a valid list"};
  std::vector<Item> items;
  std::optional<Refusal> wrong;
  for (const auto& one : call.given.get_array()) {
    if (!one.is_object()) {
      wrong = Refusal{400, "value is not a valid dict"};
      continue;
    }
    Arguments arguments{one.get_object()};
    items.push_back(read_item(one, arguments));
    try {
      arguments.check();
    } catch (const Refusal& refusal) {
      wrong = refusal;  // A later item may have what is told at once.
    }
  }
  if (wrong) throw *wrong;
  std::vector<Promotion> wanted;
  for (const auto& item : items) {
    wanted.push_back({.build = build_of(item.commit, item.distro, item.extended, true), .label = item.label, .user = call.user, .aggregate = std::nullopt});
    builder_.check_promotion(wanted.back());
  }
  return with_float_time(row_of(builder_.promote(wanted).back()));
}

json::value Api::components(const Call&) {
  std::set<std::string> names;
  for (const auto& one : builder_.promotions())
    if (const auto& name = builder_.builds()[one.build].component; !name.empty()) names.insert(name);
  json::array list;
  for (const auto& name : names) list.emplace_back(name);
  return json::object{{"components", std::move(list)}};
}

json::value Api::build_metrics(const Call& call) {
  Arguments arguments{as_object(call.given)};
  const auto start = arguments.loose_text("start_date", true);
  const auto from = start ? day_of(*start) : 0;
  const auto end = arguments.loose_text("end_date", true);
  const auto to = end ? day_of(*end) : 0;
  const std::string package = arguments.text("package_name").value_or("");
  arguments.check();
  std::int64_t succeeded = 0, failed = 0;
  for (const auto& build : builder_.builds()) {
    if (build.built_at < from || build.built_at > to || (!package.empty() && build.project != package)) continue;
    if (build.status == "SUCCESS" && build.built_at < to) ++succeeded;
    if (build.status == "FAILED") ++failed;
  }
  return json::object{{"succeeded", succeeded}, {"failed", failed}, {"total", succeeded + failed}};
}

json::value Api::import(const Call& call) {
  Arguments arguments{as_object(call.given)};
  const auto url = arguments.text("repo_url", true);
  arguments.check();
  if (!http::parse_url(*url)) throw Refusal{400, "Errors detected: 1 {'repo_url': 'invalid or missing URL scheme'}"};
  builder_.import(*url);
  return json::object{{"repo_url", *url}};
}

json::value Api::recheck(const Call& call) {
  Arguments arguments{as_object(call.given)};
  const auto package = arguments.text("package_name", true);
  arguments.check();
  builder_.recheck(*package);
  return json::object{{"result", "ok"}};
}

}  // namespace outpost::sample_builder
