// The part of DciSource that makes jobs, and finds them again.
#include "plugins/dci/source.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "plugins/dci/documents.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <set>

namespace outpost::dci {
namespace {

using boost::asio::awaitable;
using pipeline::Claimed;
using pipeline::ClaimRequest;

/// The body of POST /jobs.
boost::json::object job_body(const ClaimRequest& request, const std::string& topic_id, const std::string& previous) {
  const auto& definition = request.job.definition;
  boost::json::array components, tags;
  for (const auto& component : request.job.components) components.emplace_back(component.id);
  for (const auto& tag : definition.tags)
    if (!trim(tag).empty()) tags.emplace_back(plain_text(tag, 255));
  tags.emplace_back(claim_tag(request.claim_id));
  boost::json::object body{
      {"topic_id", topic_id}, {"components", components}, {"tags", tags}, {"name", plain_text(definition.name, 255)}};
  const auto add = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) body[key] = plain_text(value, value.size());
  };
  add("comment", definition.comment);
  add("configuration", definition.configuration);
  add("url", definition.url);
  add("previous_job_id", previous);
  return body;
}

std::vector<std::string> missing_components(const boost::json::object& job, const ClaimRequest& request) {
  std::set<std::string> there;
  if (const auto* list = job.if_contains("components"); list && list->is_array())
    for (const auto& component : list->get_array())
      if (component.is_object()) there.insert(job::text_at(component.get_object(), "id"));
  std::vector<std::string> missing;
  for (const auto& component : request.job.components)
    if (!there.contains(component.id)) missing.push_back(component.id);
  return missing;
}

}  // namespace

std::string claim_tag(const std::string& claim_id) { return "outpost:" + claim_id; }

/// The newest job of the same name, topic and remoteci: what the server and its people compare with. "" when there is
/// none.
awaitable<Result<std::string>> DciSource::previous_job(const job::Definition& definition, std::string topic_id) {
  const std::string name = plain_text(definition.name, 255);
  Call call{.path = "/api/v1/jobs", .key = "jobs"};
  call.query.emplace_back("sort", "-created_at");
  call.query.emplace_back("where", (fits_where(name) ? "name:" + name + "," : std::string{}) + "topic_id:" + topic_id +
                                       ",remoteci_id:" + api_.credentials().id() + ",state:active");
  std::string found;
  std::function<bool(const boost::json::object&)> row = [&](const boost::json::object& one) {
    if (job::text_at(one, "name") != name || !is_id(job::text_at(one, "id"))) return true;
    found = job::text_at(one, "id");
    return false;
  };
  // Job rows are large, and the right one is nearly always the first.
  const Reply reply = co_await api_.list(std::move(call), std::move(row), fits_where(name) ? 1 : 20, 5);
  if (!reply.ok()) co_return reply.error();
  co_return found;
}

awaitable<Result<Claimed>> DciSource::claim(const ClaimRequest& request) {
  const auto& definition = request.job.definition;
  std::string topic_id = request.job.components.empty() ? "" : request.job.components.front().topic_id;
  if (!is_id(topic_id)) {
    std::string name = definition.topic;
    auto found = co_await topic(std::move(name));
    if (!found) co_return found.error();
    topic_id = found->id;
  }
  std::string for_previous = topic_id;
  auto previous = co_await previous_job(definition, std::move(for_previous));
  if (!previous) co_return previous.error();

  Call call{.method = "POST", .path = "/api/v1/jobs", .key = "job"};
  call.body = job_body(request, topic_id, *previous);
  call.extra_patience = std::chrono::minutes{1};
  const Reply reply = co_await api_.send(std::move(call));
  if (reply.judged.meaning == Meaning::retry_later || reply.judged.meaning == Meaning::fix_credentials)
    co_return reply.error();
  const auto* made = reply.answer.object("job");
  std::string id = reply.ok() && made ? job::text_at(*made, "id") : "";
  if (!is_id(id)) {
    // A component that was refused leaves a job without components behind.
    std::string claim_id = request.claim_id;
    auto marked = co_await marked_job(std::move(claim_id));
    if (!marked) co_return marked.error();
    if (marked->empty())
      co_return reply.ok() ? Error{Fault::retry_later, "POST /api/v1/jobs: an answer without the job's id"}
                           : reply.error();
    id = *marked;
  }
  co_return co_await complete(std::move(id), request);
}

awaitable<Result<std::string>> DciSource::marked_job(std::string claim_id) {
  const std::string tag = claim_tag(claim_id);
  std::string found;
  std::function<bool(const boost::json::object&)> row = [&](const boost::json::object& one) {
    const auto tags = job::texts_at(one, "tags");
    const std::string id = job::text_at(one, "id");
    if (!is_id(id) || std::find(tags.begin(), tags.end(), tag) == tags.end() ||
        !api_.standing().is_ours(job::text_at(one, "remoteci_id")))
      return true;
    found = id;
    return false;
  };
  Call call{.path = "/api/v1/jobs", .query = {{"sort", "created_at"}, {"where", "tags:" + tag}}, .key = "jobs"};
  const Reply reply = co_await api_.list(std::move(call), std::move(row), 5);
  if (!reply.ok()) co_return reply.error();
  co_return found;
}

awaitable<Result<std::optional<Claimed>>> DciSource::find(const ClaimRequest& request) {
  std::string claim_id = request.claim_id;
  auto marked = co_await marked_job(std::move(claim_id));
  if (!marked) co_return marked.error();
  if (marked->empty()) co_return std::optional<Claimed>{};
  std::string id = *marked;
  auto claimed = co_await complete(std::move(id), request);
  if (!claimed) co_return claimed.error();
  co_return std::optional<Claimed>{std::move(*claimed)};
}

/// Attaches the components that the job should have and has not, and reads it as it is then.
awaitable<Result<Claimed>> DciSource::complete(std::string id, const ClaimRequest& request) {
  std::string copy = id;
  Reply reply = co_await get_job(std::move(copy));
  if (!reply.ok()) co_return reply.error();
  const auto missing = missing_components(reply.answer.row("job"), request);
  for (const auto& component : missing) {
    Call call{.method = "POST", .path = "/api/v1/jobs/" + id + "/components"};
    call.body = boost::json::object{{"id", component}};
    const Reply added = co_await api_.send(std::move(call));
    // It answers 201 when the component is there already; a 409 comes from a race with ourselves.
    if (added.ok() || added.judged.meaning == Meaning::duplicate) continue;
    if (added.judged.meaning != Meaning::retry_later && added.judged.meaning != Meaning::fix_credentials) {
      copy = id;
      std::string reason = "a component cannot be attached: " + added.judged.message;
      co_await give_up(std::move(copy), std::move(reason));
    }
    co_return added.error();
  }
  if (!missing.empty()) {
    copy = id;
    reply = co_await get_job(std::move(copy));
    if (!reply.ok()) co_return reply.error();
  }
  Claimed claimed;
  claimed.claim = {settings_.name, id, ""};
  claimed.url = page_of(id);
  claimed.document = job_document(reply.answer.row("job"));
  co_return claimed;
}

/// Nobody will run this job: do not leave it there as new for ever. Best effort.
awaitable<void> DciSource::give_up(std::string id, std::string reason) {
  Call call{.method = "POST", .path = "/api/v1/jobstates", .key = "jobstate"};
  call.body = boost::json::object{{"job_id", id}, {"status", "error"}, {"comment", plain_text(reason, 1000)}};
  const Reply ignored = co_await api_.send(std::move(call));
  static_cast<void>(ignored);
}

std::string DciSource::page_of(const std::string& id) const {
  std::string ui = settings_.ui_url;
  if (ui.empty() && api_.parsed().host == "api.distributed-ci.io") ui = "https://www.distributed-ci.io";
  while (ui.ends_with('/')) ui.pop_back();
  return ui.empty() ? api_.url() + "/api/v1/jobs/" + id : ui + "/jobs/" + id + "/jobStates";
}

}  // namespace outpost::dci
