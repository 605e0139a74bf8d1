// The part of DlrnSource that takes builds with votes in progress.
#include "plugins/dlrn/source.hpp"

#include "agent/base/ids.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace outpost::dlrn {
namespace {

using boost::asio::awaitable;
using pipeline::Claimed;
using pipeline::ClaimRequest;

/// The builder stamps these votes with its own clock.
constexpr std::chrono::minutes clocks_differ{5};

/// What the component was selected by; asked again it names the same build, unless another was tested meanwhile.
TestedQuery query_of(const job::Component& component) {
  TestedQuery query;
  query.sequential = job::flag_at(component.data, "sequential");
  (query.sequential ? query.previous_job_id : query.job_id) = job::text_at(component.data, "tested");
  query.max_age = std::chrono::hours{job::number_at(component.data, "max_age_hours")};
  query.component = job::text_at(component.data, "selected_component");
  if (component.data.contains("success")) query.success = job::flag_at(component.data, "success");
  return query;
}

}  // namespace

bool DlrnSource::is_to_be_taken(const job::Component& component) const {
  return settings_.in_progress && api_.may_write() && component.data.contains("tested");
}

Claimed DlrnSource::claimed(const ClaimRequest& request) const {
  Claimed made;
  // A builder has no name for a job, so ours is as good as any.
  made.claim = {settings_.name, request.claim_id, {}};
  boost::json::array components;
  for (const auto& component : request.job.components) {
    components.push_back(component.data);
    if (made.url.empty()) made.url = component.url;
  }
  made.document = {{"job_id", request.job.definition.name}, {"api_url", api_.base()}, {"tree", tree_.url()}, {"components", std::move(components)}};
  return made;
}

awaitable<Result<bool>> DlrnSource::is_taken(const ClaimRequest& request, job::Component component) const {
  BuildHash build = build_of(component);
  const auto votes = co_await api_.votes(std::move(build));
  if (!votes) co_return to_error(votes.error());
  const Timestamp since = time_of_id(request.claim_id).value_or(clock_.now()) - clocks_differ;
  co_return std::any_of(votes->begin(), votes->end(), [&](const Vote& vote) {
    return vote.in_progress && vote.job_id == request.job.definition.name && vote.timestamp >= since;
  });
}

/// The builder chooses the build: ours is asked for first, so that the vote does not go to another one.
awaitable<Result<void>> DlrnSource::take(const ClaimRequest& request, job::Component component) {
  const BuildHash ours = build_of(component);
  TestedQuery query = query_of(component), same = query;
  const auto now = co_await api_.last_tested(std::move(query));
  if (!now && now.error().meaning != Meaning::refused) co_return to_error(now.error());
  if (!now || now->build != ours) {
    warn_once(request.job.definition.name + ": " + to_string(ours) + " is not what the builder would give out now; it is tested without a vote in progress");
    co_return Result<void>{};
  }
  std::string job_id = request.job.definition.name;
  const auto taken = co_await api_.claim_tested(std::move(same), std::move(job_id));
  if (!taken) co_return to_error(taken.error());
  if (taken->build != ours)
    warn_once(request.job.definition.name + ": another build was tested in this moment: the builder has put the vote in progress on " + to_string(taken->build));
  co_return Result<void>{};
}

awaitable<Result<Claimed>> DlrnSource::claim(const ClaimRequest& request) {
  for (const auto& component : request.job.components) {
    if (!is_to_be_taken(component)) continue;
    // Of several some may have been taken by a claim that was cut off.
    job::Component one = component;
    const auto already = co_await is_taken(request, std::move(one));
    if (!already) co_return already.error();
    if (*already) continue;
    one = component;
    auto taken = co_await take(request, std::move(one));
    if (!taken) co_return taken.error();
  }
  co_return claimed(request);
}

awaitable<Result<std::optional<Claimed>>> DlrnSource::find(const ClaimRequest& request) {
  bool any = false;
  for (const auto& component : request.job.components) {
    if (!is_to_be_taken(component)) continue;
    job::Component one = component;
    const auto taken = co_await is_taken(request, std::move(one));
    if (!taken) co_return taken.error();
    if (!*taken) co_return std::optional<Claimed>{};
    any = true;
  }
  // Without any vote there is nothing that a claim could have left behind.
  if (!any) co_return std::optional<Claimed>{};
  co_return std::optional{claimed(request)};
}

}  // namespace outpost::dlrn
