#include "samples/dlrn-server/replay/seed.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/hash.hpp"
#include "agent/job/event.hpp"
#include "samples/dlrn-server/base64.hpp"

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

std::string key_of(const Build& build) { return build.commit + '_' + build.distro + '_' + build.extended; }

Build build_of(const json::object& row) {
  return {.commit = text_at(row, "commit_hash"), .distro = text_at(row, "distro_hash"), .extended = text_at(row, "extended_hash"),
          .component = text_at(row, "component"), .project = "recorded"};
}

/// A commit as GraphQL names its fields; those that were not asked for are empty.
Build commit_of(const json::object& row) {
  Build build{.commit = text_at(row, "commitHash"), .distro = text_at(row, "distroHash"), .extended = text_at(row, "extendedHash"),
              .component = text_at(row, "component"), .project = text_at(row, "projectName"), .built_at = number_at(row, "dtBuild")};
  if (build.project.empty()) build.project = "recorded";
  if (const auto status = text_at(row, "status"); !status.empty()) build.status = status;
  return build;
}

/// The rows of a list that GraphQL answered with.
std::vector<json::object> graphql_rows(const Pair& pair, std::string_view list) {
  const auto* data = pair.path == "/api/graphql" && pair.answer.is_object() ? pair.answer.get_object().if_contains("data") : nullptr;
  const auto* rows = data && data->is_object() ? data->get_object().if_contains(list) : nullptr;
  return rows ? rows_of(*rows) : std::vector<json::object>{};
}

bool has_rows(const Pair& pair) { return pair.succeeded() && pair.path != "/api/graphql"; }

/// The builds that must have been there, in an order in which the newest of the same hashes is the one that was taken
/// when nobody said which.
class Builds {
 public:
  explicit Builds(const std::vector<Pair>& pairs) {
    for (const auto& pair : pairs) {
      if (has_rows(pair))
        for (const auto& row : rows_of(pair.answer)) note(row, text_at_first(pair.given, "extended_hash").empty() && pair.path.starts_with("/api/promote"));
      if (pair.status == 410)
        for (const auto& row : rows_of(pair.given)) purged_.insert(key_of(note(row, false)));
    }
    // GraphQL may have shown them newest first, and with what the other answers do not say.
    for (const auto& pair : pairs) {
      const auto rows = graphql_rows(pair, "commits");
      for (auto row = rows.rbegin(); row != rows.rend(); ++row) note_commit(commit_of(*row));
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

  void note_commit(const Build& build) {
    if (build.commit.empty() || build.distro.empty()) return;
    const auto known = std::find_if(order_.begin(), order_.end(), [&](const Build& one) {
      return one.commit == build.commit && one.distro == build.distro && (build.extended.empty() || one.extended == build.extended);
    });
    if (known == order_.end()) order_.push_back(build);
    else if (known->project == "recorded") known->project = build.project;
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

/// Votes that are in a list, but that no pair has cast: the builder's own, and those of earlier.
void lay_votes(const std::vector<Pair>& pairs, Builder& builder) {
  const auto id_of = [](const json::object& row) { return key_of(build_of(row)) + ' ' + text_at(row, "job_id") + ' ' + std::to_string(number_at(row, "timestamp")); };
  std::set<std::string> known;
  for (const auto& pair : pairs)
    if (pair.writes() && pair.succeeded())
      for (const auto& row : rows_of(pair.answer)) known.insert(id_of(row));
  for (const auto& pair : pairs)
    for (const auto& row : rows_of(has_rows(pair) && !pair.writes() ? pair.answer : json::value{})) {
      const std::string job = text_at(row, "job_id");
      if (job.empty() || text_at(row, "commit_hash").empty() || !known.insert(id_of(row)).second) continue;
      if (job == "consistent") builder.set_consistent(index_of(builder, row));
      else if (row.contains("url"))
        builder.vote({.build = index_of(builder, row), .aggregate = {}, .job_id = job, .url = text_at(row, "url"), .notes = text_at(row, "notes"), .user = text_at(row, "user"),
                      .success = job::flag_at(row, "success"), .in_progress = job::flag_at(row, "in_progress"), .timestamp = number_at(row, "timestamp")});
    }
}

/// Promotions that were made before the first pair.
void lay_promotions(const std::vector<Pair>& pairs, Builder& builder) {
  const auto start = std::chrono::floor<std::chrono::seconds>(parse_http_date(pairs.front().answer_headers.get("Date")).value_or(Timestamp{})).time_since_epoch().count();
  std::map<std::string, sample_builder::Promotion> older;  // By time and what; a list has them newest first.
  for (const auto& pair : pairs) {
    const auto rows = rows_of(pair.path == "/api/promotions" && pair.succeeded() ? pair.answer : json::value{});
    for (std::size_t at = rows.size(); at-- > 0;) {
      const auto& row = rows[at];
      const auto when = number_at(row, "timestamp");
      if (when >= start) continue;
      const std::string aggregate = text_at(row, "aggregate_hash");
      // Of a batch the row with the aggregate is the last.
      older.try_emplace(std::to_string(when) + (aggregate.empty() ? " a " : " b ") + text_at(row, "promote_name") + key_of(build_of(row)),
                        sample_builder::Promotion{.build = index_of(builder, row), .label = text_at(row, "promote_name"), .user = text_at(row, "user"),
                                                  .aggregate = aggregate.empty() ? std::nullopt : std::optional{aggregate}, .timestamp = when});
    }
  }
  for (auto& [what, promotion] : older) builder.remember(std::move(promotion));
}

/// Packages that are built again, or will not be, and addresses from which something was imported.
void lay_packages(const std::vector<Pair>& pairs, Builder& builder, bool components) {
  for (const auto& pair : pairs) {
    const auto given = rows_of(pair.given);
    if (given.empty()) continue;
    if (pair.path == "/api/remote/import" && pair.succeeded()) builder.know_remote(text_at(given.front(), "repo_url"), std::nullopt);
    if (pair.path != "/api/recheck_package" || (pair.status != 201 && pair.status != 409)) continue;
    const std::string package = text_at(given.front(), "package_name"), made_up = sha256_hex(package);
    const std::string status = pair.status == 201 ? "FAILED" : "SUCCESS";
    const bool known = std::any_of(builder.builds().begin(), builder.builds().end(), [&](const Build& build) { return build.project == package && build.status == status; });
    if (!known)
      builder.add({.commit = made_up.substr(0, 40), .distro = made_up.substr(24), .extended = {}, .component = components ? "counted" : "", .project = package, .status = status}, true);
  }
}

/// What a count of builds needs besides those that are known: their hashes are made up.
void lay_counted(const std::vector<Pair>& pairs, Builder& builder, bool components) {
  for (const bool of_package : {true, false})
    for (const auto& pair : pairs) {
      if (pair.path != "/api/metrics/builds" || !pair.succeeded() || rows_of(pair.given).empty() || rows_of(pair.answer).empty()) continue;
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
    if (pair.method == "GET" && pair.status == 401) options.access.protected_reads = true;
    if (pair.answer_headers.get("WWW-Authenticate").starts_with("Negotiate")) options.access.kerberos_first = true;
    if (pair.path == "/api/graphql" && pair.status == 501) options.access.graphql = false;
    for (const auto& row : rows_of(has_rows(pair) ? pair.answer : json::value{})) options.components = options.components || !text_at(row, "component").empty();
    for (const auto& row : graphql_rows(pair, "commits")) options.components = options.components || !text_at(row, "component").empty();
  }
  std::map<std::string, sample_builder::Ticket> tickets;
  for (const auto& pair : pairs) {
    const std::string line{pair.headers.get("Authorization")};
    // Whether an open read would have taken the credentials nobody has seen.
    if (line.empty() || pair.status == 401 || !(pair.writes() || options.access.protected_reads)) continue;
    if (pair.has_ticket()) {
      auto& ticket = tickets[line.substr(line.find(' ') + 1)];
      for (const auto& row : rows_of(pair.answer))
        if (pair.writes()) ticket.user = text_at(row, "user");
      ticket.may_write = ticket.may_write || (pair.writes() && pair.status != 403);
      ticket.may_read = ticket.may_read || pair.status != 403;
    } else if (const std::string login = sample_builder::from_base64(line.substr(line.find(' ') + 1)); line.starts_with("Basic ")) {
      options.access.users[login.substr(0, login.find(':'))] = login.substr(std::min(login.find(':'), login.size() - 1) + 1);
    }
  }
  options.access.kerberos_first = options.access.kerberos_first || !tickets.empty();
  options.access.ticket = [tickets = std::move(tickets)](const std::string& token) {
    const auto known = tickets.find(token);
    return known == tickets.end() ? std::nullopt : std::optional{known->second};
  };
  return options;
}

void seed(const std::vector<Pair>& pairs, Builder& builder) {
  Builds{pairs}.lay(builder);
  lay_votes(pairs, builder);
  lay_promotions(pairs, builder);
  const bool components = std::any_of(builder.builds().begin(), builder.builds().end(), [](const Build& build) { return !build.component.empty(); });
  lay_packages(pairs, builder, components);
  lay_counted(pairs, builder, components);
}

}  // namespace outpost::builder_replay
