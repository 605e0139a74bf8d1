#include "plugins/dci/source.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "plugins/dci/documents.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <functional>

namespace outpost::dci {
namespace {

using boost::asio::awaitable;
using pipeline::Candidates;

constexpr std::chrono::minutes topic_lifetime{10};

bool is_local(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

bool is_web_address(const std::string& url) { return url.starts_with("http://") || url.starts_with("https://"); }

std::vector<std::string> types_of(const boost::json::object& topic) {
  auto types = job::texts_at(topic, "component_types");
  const auto optional = job::texts_at(topic, "component_types_optional");
  types.insert(types.end(), optional.begin(), optional.end());
  return types;
}

}  // namespace

DciSource::DciSource(Api api, http::Client& client, Workers& workers, const Clock& clock, files::Cache* cache,
                     SourceSettings settings)
    : api_{std::move(api)},
      clock_{clock},
      settings_{std::move(settings)},
      files_{api_,
             client,
             workers,
             cache,
             settings_.limits,
             settings_.allow_local_redirects || is_local(api_.parsed().host),
             settings_.download,
             files::Unpacker{settings_.unpacker, workers}} {}

Result<void> DciSource::check(const job::Definition& definition) const {
  if (!api_.credentials().client.starts_with("remoteci/"))
    return Error{Fault::credentials, "the source " + settings_.name + " signs in as " +
                                     api_.credentials().client + "; only a remoteci can take jobs"};
  if (definition.topic.empty()) return Error{Fault::malformed, "the topic is missing (example: OCP-4.16)"};
  if (definition.selections.empty())
    return Error{Fault::malformed, "components are missing (example: [\"ocp?tags:build:ga\"])"};
  for (const auto& text : definition.selections)
    if (auto selection = parse_selection(text); !selection) return selection.error();
  if (!definition.url.empty() && !is_web_address(definition.url))
    return Error{Fault::malformed, "url: the control server takes only http:// and https:// here"};
  return {};
}

awaitable<Result<DciSource::Topic>> DciSource::read_topic(std::string name) {
  std::optional<Topic> found;
  std::vector<std::string> names;
  std::function<bool(const boost::json::object&)> row = [&](const boost::json::object& one) {
    names.push_back(job::text_at(one, "name"));
    if (names.back() != name || job::text_at(one, "state") == "inactive") return true;
    found = Topic{job::text_at(one, "id"), types_of(one), clock_.now()};
    return false;
  };
  Call call{.path = "/api/v1/topics", .key = "topics"};
  if (fits_where(name)) call.query.emplace_back("where", "name:" + name + ",state:active");
  const Reply reply = co_await api_.list(std::move(call), row);
  if (!reply.ok()) co_return reply.error();
  if (found && is_id(found->id)) co_return std::move(*found);
  // For the message only: what could have been meant?
  Call all{.path = "/api/v1/topics", .key = "topics"};
  all.query.emplace_back("where", "state:active");
  const Reply every = co_await api_.list(std::move(all), std::move(row), page_size, 5);
  const auto meant = every.ok() ? nearest(name, names) : std::nullopt;
  co_return Error{Fault::refused,
                  "topic \"" + printable(name, 200) + "\": not found at " + api_.url() + ", or the team of " +
                      api_.credentials().client + " has no permission for it (the server does not tell which)" +
                      (meant && *meant != name ? "; did you mean \"" + printable(*meant, 200) + "\"?" : "")};
}

awaitable<Result<DciSource::Topic>> DciSource::topic(std::string name) {
  if (const auto known = topics_.find(name);
      known != topics_.end() && clock_.now() - known->second.read_at < topic_lifetime)
    co_return known->second;
  std::string copy = name;
  auto read = co_await read_topic(std::move(copy));
  if (read)
    topics_[name] = *read;
  else
    topics_.erase(name);
  co_return read;
}

awaitable<Result<std::vector<job::Component>>> DciSource::matching(Topic topic, Selection selection,
                                                                   std::size_t depth) {
  std::vector<job::Component> components;
  for (const auto& query : compile(selection, clock_.now())) {
    Call call{.path = "/api/v1/topics/" + topic.id + "/components", .query = query.parameters, .key = "components"};
    std::function<bool(const boost::json::object&)> row = [&](const boost::json::object& one) {
      if (is_id(job::text_at(one, "id")) && matches(selection, query, one)) components.push_back(component_of(one));
      return components.size() < depth;
    };
    const bool exact = query.parameters.front().first == "query";
    const Reply reply = co_await api_.list(std::move(call), std::move(row), exact ? depth : page_size);
    if (!reply.ok()) co_return reply.error();
    if (!components.empty()) break;  // The first priority tag that anything has decides.
  }
  co_return components;
}

awaitable<Result<std::vector<Candidates>>> DciSource::poll(const job::Definition& definition, std::size_t depth) {
  if (auto checked = check(definition); !checked) co_return checked.error();
  std::string name = definition.topic;
  auto found = co_await topic(std::move(name));
  if (!found) co_return found.error();
  std::vector<Candidates> all;
  for (const auto& text : definition.selections) {
    auto selection = parse_selection(text);
    if (!selection) co_return selection.error();
    const std::string type = selection->type;
    Topic copy = *found;
    Selection wanted = std::move(*selection);
    auto components = co_await matching(std::move(copy), std::move(wanted), std::max<std::size_t>(depth, 1));
    if (!components) {
      if (components.error().fault != Fault::retry_later) topics_.erase(definition.topic);
      co_return components.error();
    }
    std::string problem;
    if (components->empty() && std::find(found->types.begin(), found->types.end(), type) == found->types.end()) {
      const auto meant = nearest(type, found->types);
      problem = "the topic " + printable(definition.topic, 200) + " has no component type \"" + type + "\"; it has " +
                printable(join(found->types, ", "), 500) +
                (meant ? "; did you mean " + printable(*meant, 100) + "?" : "");
    }
    all.push_back({text, std::move(*components), std::move(problem)});
  }
  co_return all;
}

awaitable<Reply> DciSource::get_job(std::string id) {
  Call call{.path = "/api/v1/jobs/" + id, .key = "job"};
  co_return co_await api_.send(std::move(call));
}

awaitable<bool> DciSource::is_worth_asking() {
  co_await api_.standing().renew();
  co_return api_.standing().is_due();
}

awaitable<Result<pipeline::Watched>> DciSource::watch(const job::Claim& claim) {
  if (!is_id(claim.external_ref))
    co_return Error{Fault::malformed, "\"" + printable(claim.external_ref, 60) + "\" is not a job's id"};
  std::string id = claim.external_ref;
  const Reply reply = co_await get_job(std::move(id));
  if (reply.judged.meaning == Meaning::gone) co_return pipeline::Watched{true, "deleted at the control server"};
  const auto* job = reply.answer.object("job");
  if (!reply.ok() || !job) co_return reply.error();
  const std::string status = job::text_at(*job, "status");
  const std::string state = job::text_at(*job, "state");
  if (state == "archived") co_return pipeline::Watched{true, "deleted at the control server"};
  // A state of ours that was still on its way may have covered somebody's "killed": look at all of them.
  bool killed = status == "killed";
  if (const auto* states = job->if_contains("jobstates"); states && states->is_array())
    for (const auto& one : states->get_array())
      killed = killed || (one.is_object() && job::text_at(one.get_object(), "status") == "killed");
  if (killed) co_return pipeline::Watched{true, "set to killed at the control server"};
  if (status == "success" || status == "failure" || status == "error")
    co_return pipeline::Watched{false, "somebody set the job to " + status + " at the control server"};
  co_return pipeline::Watched{};
}

awaitable<Result<void>> DciSource::fetch(const pipeline::FetchRequest& request, pipeline::Report report) {
  const auto& options = request.job.definition.options;
  const auto off = [&](std::string_view name) {
    const auto* value = options.if_contains(name);
    return value && value->is_bool() && !value->get_bool();
  };
  if (off("download")) {
    report("downloads are switched off for this job");
    co_return Result<void>{};
  }
  for (const auto& component : request.job.components) {
    const auto directory = request.directories.find(component.id);
    if (directory == request.directories.end()) continue;
    job::Component one = component;
    std::filesystem::path path = directory->second;
    pipeline::Report same = report;
    pipeline::Stalled stalled = request.stalled;
    auto fetched = co_await files_.fetch(std::move(one), std::move(path), !off("unpack"), std::move(same), std::move(stalled));
    if (!fetched) co_return fetched.error();
  }
  co_return Result<void>{};
}

}  // namespace outpost::dci
