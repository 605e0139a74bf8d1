#include "samples/dlrn-server/replay/seed.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/hash.hpp"
#include "agent/job/event.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace outpost::builder_replay {
namespace {

namespace json = boost::json;
using job::number_at;
using job::text_at;
using sample_builder::Build;
using sample_builder::Builder;

/// Base64 of "name:password", as recorded.
std::string decoded(std::string_view text) {
  static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0, count = 0;
  for (const char c : text) {
    const auto value = digits.find(c);
    if (value == std::string_view::npos) break;
    bits = bits << 6 | static_cast<unsigned>(value);
    if ((count += 6) < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xff);
  }
  return bytes;
}

std::string key_of(const Build& build) { return build.commit + '_' + build.distro + '_' + build.extended; }

Build build_of(const json::object& row) {
  return {.commit = text_at(row, "commit_hash"), .distro = text_at(row, "distro_hash"), .extended = text_at(row, "extended_hash"),
          .component = text_at(row, "component"), .project = "recorded"};
}

/// The builds that must have been there, in an order in which the newest of the same hashes is the one that was taken
/// when nobody said which.
class Builds {
 public:
  explicit Builds(const std::vector<Pair>& pairs) {
    for (const auto& pair : pairs) {
      if (pair.succeeded())
        for (const auto& row : rows_of(pair.answer)) note(row, text_at_first(pair.given, "extended_hash").empty() && pair.path.starts_with("/api/promote"));
      if (pair.status == 410)
        for (const auto& row : rows_of(pair.given)) purged_.insert(key_of(note(row, false)));
    }
    const bool components = std::any_of(order_.begin(), order_.end(), [](const Build& build) { return !build.component.empty(); });
    for (auto& build : order_)
      if (components && build.component.empty()) build.component = "purged";
  }

  void lay(Builder& builder) const {
    for (const bool newest : {false, true})
      for (const auto& build : order_)
        if (newest_.contains(key_of(build)) == newest) builder.add(build, purged_.contains(key_of(build)));
  }

 private:
  static std::string text_at_first(const json::value& value, std::string_view key) {
    const auto rows = rows_of(value);
    return rows.empty() ? "" : text_at(rows.front(), key);
  }

  Build note(const json::object& row, bool is_newest) {
    Build build = build_of(row);
    if (build.commit.empty()) return build;
    if (text_at(row, "job_id") == "consistent") build.built_at = number_at(row, "timestamp");
    if (is_newest && !build.extended.empty()) newest_.insert(key_of(build));
    const auto known = std::find_if(order_.begin(), order_.end(), [&](const Build& one) { return key_of(one) == key_of(build); });
    if (known == order_.end()) order_.push_back(build);
    else known->built_at = std::max(known->built_at, build.built_at);
    return build;
  }

  std::vector<Build> order_;
  std::set<std::string> purged_, newest_;
};

std::size_t index_of(const Builder& builder, const json::object& row) {
  const Build wanted = build_of(row);
  for (std::size_t index = 0; index < builder.builds().size(); ++index)
    if (key_of(builder.builds()[index]) == key_of(wanted)) return index;
  throw std::runtime_error{"no build " + key_of(wanted)};
}

void lay_votes(const std::vector<Pair>& pairs, Builder& builder) {
  std::set<std::string> laid;
  for (const auto& pair : pairs)
    for (const auto& row : rows_of(pair.succeeded() ? pair.answer : json::value{}))
      if (text_at(row, "job_id") == "consistent" && laid.insert(key_of(build_of(row))).second) builder.set_consistent(index_of(builder, row));
}

void lay_promotions(const std::vector<Pair>& pairs, Builder& builder) {
  std::set<std::string> made;
  for (const auto& pair : pairs) {
    const bool listed = pair.path == "/api/promotions";
    for (const auto& row : rows_of(pair.succeeded() ? (listed ? pair.answer : pair.given) : json::value{})) {
      const std::string label = text_at(row, "promote_name"), key = label + ' ' + text_at(row, "commit_hash");
      if (label.empty() || !made.insert(key).second || !listed) continue;
      const auto timestamp = number_at(row, "timestamp");
      const auto now = std::exchange(builder.now, [timestamp] { return timestamp; });
      builder.promote({{.build = index_of(builder, row), .label = label, .user = text_at(row, "user"), .aggregate = std::nullopt}});
      builder.now = now;
    }
  }
}

/// What a count of builds needs besides those that are known: their hashes are made up.
void lay_counted(const std::vector<Pair>& pairs, Builder& builder, bool components) {
  for (const bool of_package : {true, false})
    for (const auto& pair : pairs) {
      if (pair.path != "/api/metrics/builds" || !pair.succeeded()) continue;
      const auto given = rows_of(pair.given).front(), answer = rows_of(pair.answer).front();
      const std::string package = text_at(given, "package_name");
      if (package.empty() == of_package) continue;
      const auto day = [&](std::string_view key) {
        return std::chrono::floor<std::chrono::seconds>(parse_rfc3339(text_at(given, key) + "T00:00:00Z").value_or(Timestamp{})).time_since_epoch().count();
      };
      for (const std::string status : {"SUCCESS", "FAILED"}) {
        auto missing = number_at(answer, status == "SUCCESS" ? "succeeded" : "failed");
        for (const auto& build : builder.builds())
          if (build.status == status && build.built_at >= day("start_date") && build.built_at < day("end_date") && (package.empty() || build.project == package)) --missing;
        for (; missing > 0; --missing) {
          const std::string made_up = sha256_hex(package + status + std::to_string(missing));
          builder.add({.commit = made_up.substr(0, 40), .distro = made_up.substr(24), .extended = {}, .component = components ? "counted" : "",
                       .project = package.empty() ? "counted" : package, .status = status, .built_at = day("start_date") + 1}, true);
        }
      }
    }
}

}  // namespace

sample_builder::DlrnServer::Options options_for(const std::vector<Pair>& pairs) {
  sample_builder::DlrnServer::Options options;
  options.api = "/builder";
  options.access.users.clear();
  options.components = false;
  for (const auto& pair : pairs) {
    if (const auto line = pair.headers.get("Authorization"); pair.succeeded() && line.starts_with("Basic ")) {
      const std::string login = decoded(line.substr(6));
      options.access.users[login.substr(0, login.find(':'))] = login.substr(login.find(':') + 1);
    }
    if (pair.method == "GET" && pair.status == 401) options.access.protected_reads = true;
    if (pair.answer_headers.get("WWW-Authenticate").starts_with("Negotiate")) options.access.kerberos_first = true;
    if (pair.succeeded())
      for (const auto& row : rows_of(pair.answer)) options.components = options.components || !text_at(row, "component").empty();
  }
  return options;
}

void seed(const std::vector<Pair>& pairs, Builder& builder) {
  Builds{pairs}.lay(builder);
  lay_votes(pairs, builder);
  lay_promotions(pairs, builder);
  const bool components = std::any_of(builder.builds().begin(), builder.builds().end(), [](const Build& build) { return !build.component.empty(); });
  lay_counted(pairs, builder, components);
}

}  // namespace outpost::builder_replay
