#include "plugins/dlrn/source.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "plugins/dlrn/repository_files.hpp"

#include <algorithm>

namespace outpost::dlrn {
namespace {

using boost::asio::awaitable;
using pipeline::Candidates;

constexpr std::size_t page = 100;   ///< The builder gives no more rows at once.
constexpr std::size_t pages = 20;

std::string short_name(const BuildHash& build) { return build.commit.substr(0, 8) + '_' + build.distro.substr(0, 8); }

std::string path_of(const Selection& selection) {
  return selection.component.empty() ? selection.label : "component/" + selection.component + '/' + selection.label;
}

/// Labels that the builder moves itself; the API has no history of them.
bool is_builders_own(const std::string& label) { return label == "current" || label == "consistent"; }

std::string moment(std::chrono::sys_seconds when) {
  return when.time_since_epoch().count() == 0 ? "" : to_rfc3339(Timestamp{when.time_since_epoch()});
}

}  // namespace

BuildHash build_of(const job::Component& component) {
  return {job::text_at(component.data, data::commit), job::text_at(component.data, data::distro),
          job::text_at(component.data, data::extended)};
}

std::string aggregate_of(const job::Component& component) { return job::text_at(component.data, data::aggregate); }

DlrnSource::DlrnSource(Api api, Tree tree, http::Client& client, Workers& workers, const Clock& clock,
                       SourceSettings settings)
    : api_{std::move(api)},
      tree_{std::move(tree)},
      client_{client},
      workers_{workers},
      clock_{clock},
      settings_{std::move(settings)} {}

Result<void> DlrnSource::check(const job::Definition& definition) const {
  if (definition.selections.empty()) return Error{Fault::malformed, "components are missing (example: [consistent])"};
  for (const auto& text : definition.selections) {
    const auto selection = parse_selection(text);
    if (!selection) return selection.error();
    if (!selection->after.empty() && selection->after == definition.name)
      return Error{Fault::malformed, "after: a job that waits for itself never runs"};
  }
  return {};
}

void DlrnSource::warn_once(const std::string& message) {
  if (warned_.insert(message).second && settings_.warn) settings_.warn(message);
}

job::Component DlrnSource::component_of(const Selection& selection, const BuildHash& build, const std::string& of,
                                        std::chrono::sys_seconds when) const {
  job::Component made;
  made.id = to_string(build);
  made.type = of.empty() ? "delorean" : of;
  const std::string& called = selection.label.empty() ? made.type : selection.label;
  made.name = called + ' ' + short_name(build);
  made.version = directory_name(build);
  made.url = url_of(tree_.url(), of, build);
  if (!selection.label.empty()) made.tags = {selection.label};
  made.released_at = made.created_at = moment(when);
  made.data = {{data::kind, "build"}, {data::label, selection.label}, {data::component, of},
               {data::commit, build.commit}, {data::distro, build.distro}, {data::extended, build.extended}};
  if (selection.kind == Selection::Kind::tested) {
    made.data["tested"] = selection.query.sequential ? selection.query.previous_job_id : selection.query.job_id;
    made.data["sequential"] = selection.query.sequential;
    made.data["max_age_hours"] = selection.query.max_age.count();
    if (selection.query.success) made.data["success"] = *selection.query.success;
    made.data["selected_component"] = selection.component;
  }
  return made;
}

job::Component DlrnSource::component_of(const Selection& selection, const std::string& aggregate,
                                        std::chrono::sys_seconds when) const {
  job::Component made;
  made.id = made.version = aggregate;
  made.type = "delorean";
  made.name = selection.label + ' ' + aggregate;
  made.url = url_of_aggregate(tree_.url(), selection.label, aggregate);
  made.tags = {selection.label};
  made.released_at = made.created_at = moment(when);
  made.data = {{data::kind, "aggregate"}, {data::label, selection.label}, {data::aggregate, aggregate}};
  return made;
}

awaitable<Result<std::vector<Candidates>>> DlrnSource::poll(const job::Definition& definition, std::size_t depth) {
  if (auto checked = check(definition); !checked) co_return checked.error();
  std::vector<Candidates> all;
  for (const auto& text : definition.selections) {
    auto selection = parse_selection(text);
    if (!selection) co_return selection.error();
    const auto kind = selection->kind;
    const bool waits = !selection->after.empty();
    Selection wanted = std::move(*selection);
    Result<Components> components = Components{};
    std::string job = definition.name;
    if (kind == Selection::Kind::label) components = co_await labelled(std::move(wanted), depth);
    if (waits) components = co_await promoted_after(std::move(wanted), std::move(job));
    else if (kind == Selection::Kind::promoted) components = co_await promoted(std::move(wanted), depth);
    if (kind == Selection::Kind::tested) components = co_await tested(std::move(wanted));
    if (!components) co_return components.error();
    all.push_back({text, std::move(*components)});
  }
  co_return all;
}

Error DlrnSource::nothing_at(const std::string& place, bool was_there) const {
  // The builder removes the link of a component before it makes the new one.
  if (was_there) return {Fault::retry_later, "the label " + place + " is not at " + tree_.url() + " now: perhaps it is just being moved"};
  return {Fault::refused, "the label " + printable(place, 200) + " does not exist at " + tree_.url() +
                              " (neither delorean.repo.md5 nor commit.yaml is there); a label appears with its first promotion: is it spelt right?"};
}

/// A label of the whole builder is an aggregate where there are components, and else a build; which, the files say.
awaitable<Result<DlrnSource::Components>> DlrnSource::labelled(Selection selection, std::size_t depth) {
  const std::string place = path_of(selection);
  std::optional<std::string> body;
  bool is_aggregate = selection.component.empty();
  if (is_aggregate) {
    std::string path = place + "/delorean.repo.md5";
    auto read = co_await tree_.watch(std::move(path));
    if (!read) co_return read.error();
    body = std::move(*read);
    is_aggregate = body.has_value();
  }
  if (!body) {
    std::string path = place + "/commit.yaml";
    auto read = co_await tree_.watch(std::move(path));
    if (!read) co_return read.error();
    body = std::move(*read);
  }
  if (!body) co_return nothing_at(place, seen_.contains(place));
  if (const auto known = seen_.find(place); known != seen_.end() && known->second.body == *body && known->second.depth >= depth)
    co_return known->second.components;

  Components components;
  if (is_aggregate) {
    const auto hash = parse_md5(*body, tree_.url() + '/' + place + "/delorean.repo.md5");
    if (!hash) co_return hash.error();
    components.push_back(component_of(selection, *hash, {}));
  } else {
    const auto commits = parse_commit_yaml(*body, tree_.url() + '/' + place + "/commit.yaml");
    if (!commits) co_return commits.error();
    const auto& first = commits->front();
    components.push_back(component_of(selection, first.build, selection.component, first.built_at));
  }
  if (depth > 1 && !is_builders_own(selection.label)) {
    Selection same = selection;
    auto older = co_await history(std::move(same), depth);
    if (!older) co_return older.error();
    for (auto& one : *older) {
      // The tree has said what is newest; the API knows when that was.
      if (one.id == components.front().id) components.front().released_at = components.front().created_at = one.released_at;
      else if (components.size() < depth) components.push_back(std::move(one));
    }
  }
  seen_[place] = {std::move(*body), depth, components};
  co_return components;
}

/// Whether there is anything new, one row says.
awaitable<Result<DlrnSource::Components>> DlrnSource::promoted(Selection selection, std::size_t depth) {
  depth = std::max<std::size_t>(depth, 1);
  const std::string place = "promotions of " + path_of(selection);
  PromotionQuery query{.label = selection.label, .component = selection.component, .limit = 1};
  const auto newest = co_await api_.promotions(std::move(query));
  if (!newest) co_return to_error(newest.error());
  if (newest->empty()) {
    warn_once("nothing was ever promoted to " + path_of(selection) + " at " + api_.base() + "; is it spelt right?");
    co_return Components{};
  }
  const auto& row = newest->front();
  std::string body = std::to_string(row.timestamp.time_since_epoch().count()) + ' ' + row.aggregate + ' ' + to_string(row.build);
  if (const auto known = seen_.find(place); known != seen_.end() && known->second.body == body && known->second.depth >= depth)
    co_return known->second.components;
  auto components = co_await history(std::move(selection), depth);
  if (components) seen_[place] = {std::move(body), depth, *components};
  co_return components;
}

awaitable<Result<DlrnSource::Components>> DlrnSource::history(Selection selection, std::size_t depth) const {
  Components components;
  std::set<std::string> known;
  bool aggregates = false;
  std::size_t offset = 0;
  for (std::size_t number = 0; number < pages && components.size() < depth; ++number) {
    PromotionQuery query{.label = selection.label, .component = selection.component, .offset = offset, .limit = std::min(page, depth + 20)};
    const std::size_t asked = query.limit;
    const auto rows = co_await api_.promotions(std::move(query));
    if (!rows) co_return to_error(rows.error());
    for (const auto& row : *rows) {
      // Of a batch only the last row has the aggregate; the others are parts of the same promotion.
      aggregates = aggregates || (selection.component.empty() && !row.aggregate.empty());
      if (aggregates && row.aggregate.empty()) continue;
      auto component = aggregates ? component_of(selection, row.aggregate, row.timestamp)
                                  : component_of(selection, row.build, row.component, row.timestamp);
      if (components.size() < depth && known.insert(component.id).second) components.push_back(std::move(component));
    }
    // A batch has as many rows as there are components, so one page may hold few aggregates.
    offset += rows->size();
    if (rows->size() < asked) break;
  }
  co_return components;
}

awaitable<Result<std::vector<Vote>>> DlrnSource::votes_on(job::Component component) const {
  std::string aggregate = aggregate_of(component);
  BuildHash build = build_of(component);
  auto asking = aggregate.empty() ? api_.votes(std::move(build)) : api_.aggregate_votes(std::move(aggregate));
  auto votes = co_await std::move(asking);
  if (!votes) co_return to_error(votes.error());
  co_return *std::move(votes);
}

awaitable<Result<DlrnSource::Components>> DlrnSource::promoted_after(Selection selection, std::string job) {
  const std::string first = selection.after;
  auto components = co_await promoted(std::move(selection), 1);
  if (!components || components->empty()) co_return components;
  components->resize(1);
  const auto votes = co_await votes_on(components->front());
  if (!votes) co_return votes.error();
  const Vote* newest = nullptr;
  for (const auto& vote : *votes) {
    if (vote.job_id == job) co_return Components{};
    if (vote.job_id == first && !vote.in_progress && (!newest || vote.timestamp >= newest->timestamp)) newest = &vote;
  }
  if (!newest || !newest->success) co_return Components{};
  co_return components;
}

awaitable<Result<DlrnSource::Components>> DlrnSource::tested(Selection selection) {
  TestedQuery query = selection.query;
  const std::string job = query.sequential ? query.previous_job_id : query.job_id;
  const auto vote = co_await api_.last_tested(std::move(query));
  if (!vote && vote.error().status != 400) co_return to_error(vote.error());
  // Where that job has no vote the builder answers with one of any other job, or of any component.
  const bool meant = vote && vote->job_id == job && (selection.component.empty() || vote->component == selection.component);
  if (!meant) {
    warn_once("no build has been tested by " + printable(job, 100) + " yet as this asks for it" + (vote ? "" : ": " + vote.error().message));
    co_return Components{};
  }
  if (vote->in_progress) co_return Components{};  // That job is at it still.
  if (selection.query.success) {
    Vote same = *vote;
    const auto outdated = co_await is_outdated(std::move(same));
    if (!outdated) co_return outdated.error();
    if (*outdated) co_return Components{};
  }
  Components components{component_of(selection, vote->build, vote->component, vote->timestamp)};
  co_return components;
}

/// The builder was asked for a success (or a failure), and gives any that ever was; what counts is the job's newest vote.
awaitable<Result<bool>> DlrnSource::is_outdated(Vote vote) const {
  BuildHash build = vote.build;
  const auto votes = co_await api_.votes(std::move(build));
  if (!votes) co_return to_error(votes.error());
  co_return std::any_of(votes->begin(), votes->end(), [&](const Vote& one) {
    return one.job_id == vote.job_id && !one.in_progress && one.timestamp > vote.timestamp && one.success != vote.success;
  });
}

awaitable<Result<pipeline::Watched>> DlrnSource::watch(const job::Claim&) { co_return pipeline::Watched{}; }

awaitable<Result<void>> DlrnSource::fetch(const pipeline::FetchRequest& request, pipeline::Report report) {
  RepositoryFiles files{tree_, client_, workers_, settings_.download, request.stalled};
  for (const auto& component : request.job.components) {
    const auto directory = request.directories.find(component.id);
    if (directory == request.directories.end()) continue;
    RepositoryFiles::Wanted wanted{component, build_of(component), aggregate_of(component), directory->second};
    pipeline::Report same = report;
    auto fetched = co_await files.fetch(std::move(wanted), std::move(same));
    if (!fetched) co_return std::move(fetched).error().in(printable(component.name, 200));
  }
  co_return Result<void>{};
}

}  // namespace outpost::dlrn
