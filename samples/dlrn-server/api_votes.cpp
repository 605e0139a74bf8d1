// What jobs have said of builds and aggregates: the part of Api about votes.
#include "samples/dlrn-server/api.hpp"

#include <boost/json/array.hpp>

namespace outpost::sample_builder {
namespace {

namespace json = boost::json;

constexpr auto not_found = "commit_hash+distro_hash+extended_hash combination not found";

std::string page_of(const std::string& title) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head><title>" + title + "</title></head>\n<body><h1>" + title +
         "</h1><table id=\"votes\"></table></body>\n</html>\n";
}

bool is_given(const std::optional<std::string>& text) { return text && !text->empty(); }

}  // namespace

json::object Api::row_of(const Vote& vote) const {
  const Build* build = vote.build ? &builder_.builds()[*vote.build] : nullptr;
  const auto of_build = [&](std::string Build::*member) { return build ? or_null(build->*member) : json::value{}; };
  return {{"commit_hash", of_build(&Build::commit)}, {"distro_hash", of_build(&Build::distro)}, {"extended_hash", of_build(&Build::extended)},
          {"component", of_build(&Build::component)}, {"job_id", vote.job_id}, {"success", vote.success}, {"in_progress", vote.in_progress},
          {"timestamp", vote.timestamp}, {"user", or_null(vote.user)}};
}

std::size_t Api::build_of(const std::string& commit, const std::string& distro, const std::optional<std::string>& extended, bool of_batch) const {
  const auto build = builder_.find(commit, distro, extended.value_or(""));
  if (build) return *build;
  throw Refusal{400, std::string{not_found} + (of_batch ? " for " + commit + '_' + distro + '_' + extended.value_or("None") : "")};
}

Api::Tested Api::read_tested(Arguments& arguments) {
  Tested wanted;
  const auto max_age = arguments.number("max_age", true);
  if (max_age && *max_age < 0) throw Refusal{400, "Max age parameter must be greater than or equal to 0"};
  wanted.max_age = max_age.value_or(0);
  wanted.success = arguments.truth("success");
  wanted.job_id = arguments.text("job_id");
  wanted.sequential = arguments.truth("sequential_mode").value_or(false);
  auto previous = arguments.text("previous_job_id");
  wanted.component = arguments.text("component");
  if (!wanted.sequential) return wanted;
  if (!previous) throw Refusal{400, "Missing parameter previous_job_id"};
  wanted.job_id = std::move(previous);
  return wanted;
}

/// The newest vote that fits. Where a job has none, any job's will do, of any component: the original's mistake.
std::size_t Api::tested_vote(const Tested& wanted) const {
  constexpr std::int64_t hour = 3600, year_1 = -62'135'596'800;
  const std::int64_t now = builder_.now();
  if (wanted.max_age > (now - year_1) / hour) throw Refusal{500, ""};  // No date is that old.
  const std::int64_t since = wanted.max_age == 0 ? 0 : now - wanted.max_age * hour;
  const auto newest = [&](auto fits) {
    const Vote* best = nullptr;
    for (const auto& vote : builder_.votes())
      if (vote.build && vote.timestamp > since && (!wanted.success || vote.success == *wanted.success) && fits(vote) && (!best || vote.timestamp > best->timestamp)) best = &vote;
    return best;
  };
  const auto of_component = [&](const Vote& vote) { return !wanted.component || builder_.builds()[*vote.build].component == *wanted.component; };
  const Vote* found = newest([&](const Vote& vote) { return vote.job_id != "consistent" && (!wanted.job_id || vote.job_id == *wanted.job_id) && of_component(vote); });
  if (!found && !wanted.sequential && wanted.job_id) found = newest([](const Vote&) { return true; });
  if (!found && !wanted.sequential) found = newest(of_component);
  if (!found) throw Refusal{400, "No vote found"};
  return static_cast<std::size_t>(found - builder_.votes().data());
}

json::value Api::last_tested(const Call& call) {
  Arguments arguments{as_object(call.given)};
  const auto wanted = read_tested(arguments);
  arguments.check();
  return row_of(builder_.votes()[tested_vote(wanted)]);
}

json::value Api::claim_tested(const Call& call) {
  Arguments arguments{as_object(call.given)};
  const auto wanted = read_tested(arguments);
  Vote vote;
  vote.job_id = arguments.text("reporting_job_id", true).value_or("");
  arguments.check();
  vote.build = builder_.votes()[tested_vote(wanted)].build;
  vote.notes = "";
  vote.user = call.user;
  vote.in_progress = true;
  vote.timestamp = builder_.now();
  return row_of(builder_.votes()[builder_.vote(std::move(vote))]);
}

json::value Api::repo_status(const Call& call) {
  Arguments arguments{as_object(call.given)};
  const auto commit = arguments.text("commit_hash", true), distro = arguments.text("distro_hash", true), extended = arguments.text("extended_hash");
  const auto success = arguments.truth("success");
  arguments.check();
  const auto build = build_of(*commit, *distro, extended);
  json::array rows;
  for (const auto& vote : builder_.votes()) {
    if (vote.build != build || (success && vote.success != *success)) continue;
    auto row = row_of(vote);
    row["url"] = vote.url;
    row["notes"] = or_null(vote.notes);
    rows.push_back(std::move(row));
  }
  return rows;
}

json::value Api::aggregate_status(const Call& call) {
  Arguments arguments{as_object(call.given)};
  const auto aggregate = arguments.text("aggregate_hash", true);
  const auto success = arguments.truth("success");
  arguments.check();
  json::array rows;
  for (const auto& vote : builder_.votes())
    if (!vote.build && vote.aggregate == *aggregate && (!success || vote.success == *success))
      rows.push_back({{"timestamp", vote.timestamp}, {"aggregate_hash", vote.aggregate}, {"job_id", vote.job_id}, {"success", vote.success},
                      {"in_progress", vote.in_progress}, {"url", vote.url}, {"notes", or_null(vote.notes)}, {"user", or_null(vote.user)}});
  return rows;
}

json::value Api::report_result(const Call& call) {
  const auto& given = as_object(call.given);
  Arguments arguments{given};
  Vote vote;
  vote.timestamp = arguments.number("timestamp", true).value_or(0);
  vote.success = arguments.truth("success", true).value_or(false);
  vote.job_id = arguments.text("job_id", true).value_or("");
  vote.url = arguments.loose_text("url", true).value_or("");
  const auto commit = arguments.text("commit_hash"), distro = arguments.text("distro_hash"), extended = arguments.text("extended_hash");
  const auto aggregate = arguments.text("aggregate_hash");
  vote.notes = given.contains("notes") ? arguments.text("notes") : "";
  const bool whole = is_given(commit) && is_given(distro);
  if (!is_given(commit) && !is_given(distro) && !is_given(aggregate))
    throw Refusal{400, "\"Either the aggregate hash or both commit_hash and distro_hash must be provided\""};
  if (!whole && (is_given(commit) || is_given(distro))) throw Refusal{400, "commit_hash and distro_hash must be provided together"};
  if (whole && is_given(aggregate)) throw Refusal{400, "aggregate_hash and commit/distro_hash cannot be combined"};
  arguments.check();
  if (whole) vote.build = build_of(*commit, *distro, extended);
  else if (!builder_.knows_aggregate(*aggregate)) throw Refusal{400, "aggregate_hash not found"};
  else vote.aggregate = *aggregate;
  vote.user = call.user;
  const auto& kept = builder_.votes()[builder_.vote(std::move(vote))];
  auto row = row_of(kept);
  row["url"] = kept.url;
  row["notes"] = or_null(kept.notes);
  row["aggregate_hash"] = or_null(kept.aggregate);
  return row;
}

json::value Api::votes_page(const Call& call) {
  Arguments arguments{as_object(call.given)};
  (void)arguments.count("offset");
  arguments.check();
  return json::string{page_of("Votes")};
}

json::value Api::votes_of_build_page(const Call& call) {
  Arguments arguments{as_object(call.given)};
  const auto commit = arguments.text("commit_hash"), distro = arguments.text("distro_hash"), component = arguments.text("component"), job = arguments.text("ci_name");
  if ((!is_given(commit) || !is_given(distro)) && !is_given(component) && !is_given(job)) throw Refusal{400, "commit_hash and distro_hash, component or ci_name are due"};
  arguments.check();
  return json::string{page_of("Votes of a build")};
}

json::value Api::votes_of_aggregate_page(const Call& call) {
  Arguments arguments{as_object(call.given)};
  const auto aggregate = arguments.text("ref_hash"), job = arguments.text("ci_name");
  if (!is_given(aggregate) && !is_given(job)) throw Refusal{400, "ref_hash or ci_name is due"};
  arguments.check();
  return json::string{page_of("Votes of an aggregate")};
}

json::value Api::report_page(const Call&) { return json::string{page_of("Detailed build report")}; }

}  // namespace outpost::sample_builder
