#include "plugins/dci/reporter.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "plugins/dci/expand.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <cmath>

namespace outpost::dci {
namespace {

using boost::asio::awaitable;
using pipeline::Delivered;
using pipeline::Outcome;
using pipeline::Parked;
using pipeline::Reread;
using Found = Result<std::optional<std::string>>;

constexpr int tag_attempts = 5;

std::string text_of(const journal::Item& item, std::string_view name) { return job::text_at(item.body, name); }

std::string path_of(const journal::Item& item, std::string_view rest = "") {
  return "/api/v1/jobs/" + text_of(item, "job") + std::string{rest};
}

double value_of(const boost::json::object& object) {
  const auto* value = object.if_contains("value");
  boost::system::error_code not_a_number;
  return value ? value->to_number<double>(not_a_number) : std::nan("");
}

/// Whether a job with this status is over.
bool is_final(const std::string& status) {
  return status == "success" || status == "failure" || status == "error" || status == "killed";
}

bool has_tag(const boost::json::object& job, const std::string& tag) {
  const auto tags = job::texts_at(job, "tags");
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

bool has_value(const boost::json::object& job, const boost::json::object& wanted) {
  const auto* values = job.if_contains("keys_values");
  if (!values || !values->is_array()) return false;
  const double value = value_of(wanted);
  return std::any_of(values->get_array().begin(), values->get_array().end(), [&](const auto& one) {
    return one.is_object() && job::text_at(one.get_object(), "key") == job::text_at(wanted, "key") &&
           std::abs(value_of(one.get_object()) - value) <= std::abs(value) * 1e-9;
  });
}

}  // namespace

DciReporter::DciReporter(Api api, Workers& workers, ReporterSettings settings)
    : api_{std::move(api)},
      source_{std::move(settings.source)},
      uploads_{api_, workers, std::move(settings.job_directory), settings.upload_limit} {}

std::vector<journal::Item> DciReporter::expand(const job::Event& event, const job::Story& before) const {
  return dci::expand(event, before, source_);
}

awaitable<Outcome> DciReporter::send(const journal::Item& item, const pipeline::Refs& refs) {
  if (!is_id(text_of(item, "job")))
    co_return Parked{"\"" + printable(text_of(item, "job"), 60) + "\" is not a job's id at the server"};
  if (item.kind == kind::state) co_return co_await send_state(item);
  if (item.kind == kind::value) co_return co_await send_value(item);
  if (item.kind == kind::tag) co_return co_await send_tag(item);
  if (item.kind == kind::log || item.kind == kind::task || item.kind == kind::result || item.kind == kind::artifact || item.kind == kind::note)
    co_return co_await uploads_.send(item, refs);
  co_return Parked{"this version does not know items of the kind \"" + printable(item.kind, 60) + "\""};
}

awaitable<Found> DciReporter::find(const journal::Item& item, const pipeline::Refs& refs) {
  const std::optional<std::string> nothing;
  if (!is_id(text_of(item, "job"))) co_return nothing;
  if (item.kind == kind::state) co_return co_await find_state(item, refs);
  if (item.kind != kind::value && item.kind != kind::tag) co_return co_await uploads_.find(item, refs);
  const Reply reply = co_await job_of(item);
  if (reply.judged.meaning == Meaning::gone) co_return nothing;
  if (!reply.ok()) co_return reply.error();
  const auto* job = reply.answer.object("job");
  const std::string name = text_of(item, item.kind == kind::tag ? "tag" : "key");
  const bool there = job && (item.kind == kind::tag ? has_tag(*job, name) : has_value(*job, item.body));
  co_return there ? std::optional{name} : nothing;
}

awaitable<Reply> DciReporter::job_of(const journal::Item& item) {
  Call call{.path = path_of(item), .key = "job"};
  co_return co_await api_.send(std::move(call));
}

awaitable<Outcome> DciReporter::send_state(const journal::Item& item) {
  boost::json::object body{
      {"job_id", text_of(item, "job")}, {"status", text_of(item, "status")}, {"comment", text_of(item, "comment")}};
  Call call{.method = "POST", .path = "/api/v1/jobstates", .key = "jobstate"};
  call.body = std::move(body);
  const Reply reply = co_await api_.send(std::move(call));
  const auto* state = reply.answer.object("jobstate");
  if (reply.ok() && state) co_return Delivered{job::text_at(*state, "id")};
  co_return to_outcome(reply.judged);
}

awaitable<Found> DciReporter::find_state(const journal::Item& item, const pipeline::Refs& refs) {
  const std::string status = text_of(item, "status");
  const std::string comment = text_of(item, "comment");
  const bool ends_the_job = is_final(status);
  std::optional<std::string> found, ended;
  std::function<bool(const boost::json::object&)> row = [&](const boost::json::object& one) {
    const std::string stored = job::text_at(one, "status");
    if (!ends_the_job && is_final(stored)) ended = job::text_at(one, "id");
    // A failure of a job that the server takes for new or pre-run is stored as an error in this list.
    const bool same = stored == status || (status == "failure" && stored == "error");
    const std::string id = job::text_at(one, "id");
    const bool known = std::any_of(refs.begin(), refs.end(), [&](const auto& ref) { return ref.second == id; });
    if (!same || known || job::text_at(one, "comment") != comment) return true;
    found = id;
    return false;
  };
  Call call{.path = path_of(item, "/jobstates"), .query = {{"sort", "created_at"}}, .key = "jobstates"};
  const Reply reply = co_await api_.list(std::move(call), std::move(row));
  if (reply.judged.meaning == Meaning::gone) co_return std::optional<std::string>{};
  if (!reply.ok()) co_return reply.error();
  // The last state is the job's: one that was set aside and comes after the verdict would make it run again.
  co_return found ? found : ended;
}

awaitable<Outcome> DciReporter::send_value(const journal::Item& item) {
  boost::json::object body{{"key", text_of(item, "key")}, {"value", value_of(item.body)}};
  Call call{.method = "POST", .path = path_of(item, "/kv"), .key = "kv"};
  call.body = std::move(body);
  const Reply reply = co_await api_.send(std::move(call));
  // The same key with the same value: an earlier attempt brought it there.
  if (reply.ok() || reply.judged.meaning == Meaning::duplicate) co_return Delivered{text_of(item, "key")};
  co_return to_outcome(reply.judged);
}

awaitable<Outcome> DciReporter::send_tag(const journal::Item& item) {
  const std::string tag = text_of(item, "tag");
  if (tag.empty()) co_return Parked{"a tag without text"};
  // The whole list is replaced, and every upload changes the job's etag meanwhile: read, add, write, until nobody was
  // in between.
  for (int attempt = 0; attempt < tag_attempts; ++attempt) {
    const Reply read = co_await job_of(item);
    const auto* job = read.answer.object("job");
    if (!read.ok() || !job) co_return to_outcome(read.judged);
    if (has_tag(*job, tag)) co_return Delivered{tag};
    boost::json::array tags;
    for (auto& known : job::texts_at(*job, "tags")) tags.emplace_back(std::move(known));
    tags.emplace_back(tag);
    Call call{.method = "PUT", .path = path_of(item), .key = "job"};
    call.headers.set("If-Match", job::text_at(*job, "etag"));
    call.body = boost::json::object{{"tags", std::move(tags)}};
    const Reply written = co_await api_.send(std::move(call));
    if (written.ok()) co_return Delivered{tag};
    if (written.judged.meaning != Meaning::gone) co_return to_outcome(written.judged);  // gone: the etag was stale.
  }
  co_return Reread{"the job " + text_of(item, "job") + " changed each time between reading and writing its tags"};
}

}  // namespace outpost::dci
