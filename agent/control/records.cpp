#include "agent/control/records.hpp"

#include "agent/base/text.hpp"
#include "agent/control/log_pages.hpp"
#include "agent/job/event_types.hpp"
#include "agent/pipeline/usage_watch.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <system_error>

namespace outpost::control {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
namespace event = job::event;
using http::ServerRequest;
using http::ServerResponse;
using Names = std::vector<std::string>;

constexpr std::uint64_t no_limit = std::numeric_limits<std::int64_t>::max();

/// Ids of jobs and steps are names of files: nothing else gets near a path.
bool is_file_name(std::string_view name) {
  const auto is_fine = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '+' || c == '@' || c == ':';
  };
  return !name.empty() && name.size() <= 255 && name.front() != '.' && std::all_of(name.begin(), name.end(), is_fine);
}

Error no_such(std::string_view what, std::string_view name) {
  return Error{Fault::unavailable, "there is no " + std::string{what} + " " + printable(name, 80)};
}

// ---- logs ---------------------------------------------------------------------------------------------------------

Result<log::Place> place_of(const Records& records, const Names& names) {
  if (!is_file_name(names.at(0))) return no_such("job", names.at(0));
  if (!is_file_name(names.at(1))) return no_such("step", names.at(1));
  return log::Place{.job_directory = records.jobs_directory / names[0], .folder = "logs", .step = names[1]};
}

/// `read` runs on a worker, because it reads a file of any size.
template <class Read>
Answering answer_of(const Records& records, std::string name, Read read) {
  const Result<json::object> found = co_await records.workers.run(std::move(read));
  if (!found) co_return problem(found.error());
  co_return answer(200, json::object{{name, *found}});
}

Answering show_log(const Records& records, ServerRequest& request, Names names) {
  const auto place = place_of(records, names);
  if (!place) co_return problem(place.error());
  const auto given = parameters(request.query, {"from", "line", "tail", "lines"});
  if (!given) co_return problem(given.error());
  const auto from = number_of(*given, "from", 0, 0, no_limit), line = number_of(*given, "line", 0, 1, no_limit),
             tail = number_of(*given, "tail", 0, 1, no_limit), lines = number_of(*given, "lines", 1000, 1, 5000);
  for (const auto* number : {&from, &line, &tail, &lines})
    if (!*number) co_return problem(number->error());
  if (given->size() - given->count("lines") > 1) co_return problem(400, "one of from, line and tail is due, not several");
  const LogRange range{.from = *from, .line = *line, .tail = *tail, .lines = static_cast<std::size_t>(*lines)};
  auto read = [place = *place, range] { return log_page(place, range); };
  std::string name = "log";
  co_return co_await answer_of(records, std::move(name), std::move(read));
}

/// What `look` finds in a log behind a byte, which begins a line.
Answering show_from(const Records& records, ServerRequest& request, Names names, std::string name,
                    Result<json::object> (*look)(const log::Place& place, std::uint64_t from, std::uint64_t line)) {
  const auto place = place_of(records, names);
  if (!place) co_return problem(place.error());
  const auto given = parameters(request.query, {"from", "line"});
  if (!given) co_return problem(given.error());
  const auto from = number_of(*given, "from", 0, 0, no_limit), line = number_of(*given, "line", 0, 0, no_limit);
  if (!from) co_return problem(from.error());
  if (!line) co_return problem(line.error());
  auto read = [look, place = *place, from = *from, line = *line] { return look(place, from, line); };
  co_return co_await answer_of(records, std::move(name), std::move(read));
}

Answering show_index(const Records& records, ServerRequest& request, Names names) {
  return show_from(records, request, std::move(names), "index", log_index);
}

Answering show_sections(const Records& records, ServerRequest& request, Names names) {
  return show_from(records, request, std::move(names), "sections", log_sections);
}

Answering search_log(const Records& records, ServerRequest& request, Names names) {
  const auto place = place_of(records, names);
  if (!place) co_return problem(place.error());
  const auto given = parameters(request.query, {"q", "from", "line", "limit"});
  if (!given) co_return problem(given.error());
  const auto from = number_of(*given, "from", 0, 0, no_limit), line = number_of(*given, "line", 0, 0, no_limit),
             limit = number_of(*given, "limit", 200, 1, 10'000);
  for (const auto* number : {&from, &line, &limit})
    if (!*number) co_return problem(number->error());
  const auto text = given->find("q");
  if (text == given->end() || text->second.empty()) co_return problem(400, "what to look for is due: ?q=TEXT");
  auto read = [place = *place, text = text->second, from = *from, line = *line, limit = *limit] {
    return log_search(place, text, from, line, static_cast<std::size_t>(limit));
  };
  std::string name = "search";
  co_return co_await answer_of(records, std::move(name), std::move(read));
}

// ---- what a job takes of the machine --------------------------------------------------------------------------------

/// {steps: [{step_id, samples: [[at_ms, cpu_us, memory, tasks, workspace]]}]}, the first step first. Blocks.
json::object usage_in(const fs::path& directory) {
  constexpr std::size_t most_steps = 500;
  const auto number = [](const std::optional<std::uint64_t>& value) { return value ? json::value(*value) : json::value(nullptr); };
  std::map<std::pair<std::int64_t, std::string>, json::array> steps;
  std::error_code error;
  for (fs::directory_iterator entry{directory, error}, end; !error && entry != end && steps.size() < most_steps; entry.increment(error)) {
    if (entry->path().extension() != ".txt" || !entry->is_regular_file(error)) continue;
    const auto samples = pipeline::read_usage(entry->path());
    if (samples.empty()) continue;
    json::array list;
    for (const auto& sample : samples)
      list.push_back(json::array{sample.at_ms, number(sample.usage.cpu_us), number(sample.usage.memory), number(sample.usage.tasks), number(sample.workspace)});
    steps.emplace(std::pair{samples.front().at_ms, entry->path().stem().string()}, std::move(list));
  }
  json::array described;
  for (auto& [step, list] : steps) described.push_back(json::object{{"step_id", step.second}, {"samples", std::move(list)}});
  return {{"steps", std::move(described)}};
}

Answering show_usage(const Records& records, ServerRequest&, Names names) {
  if (!is_file_name(names.at(0))) co_return problem(no_such("job", names.at(0)));
  auto read = [directory = records.jobs_directory / names[0]]() -> Result<json::object> {
    std::error_code error;
    if (!fs::is_directory(directory, error)) return Error{Fault::unavailable, "nothing of this job is on this machine"};
    return usage_in(directory / "usage");
  };
  std::string name = "usage";
  co_return co_await answer_of(records, std::move(name), std::move(read));
}

// ---- results and artifacts ----------------------------------------------------------------------------------------

Result<std::vector<job::Event>> events_of(const Records& records, const std::string& job_id, std::string_view type) {
  if (!is_file_name(job_id)) return no_such("job", job_id);
  const std::vector<std::string> types{std::string{type}, std::string{event::job_queued}};
  auto events = records.journal.read({.job_id = job_id, .types = types, .limit = 100'000});
  if (!events) return events.error();
  if (events->empty()) return no_such("job", job_id);
  std::erase_if(*events, [&](const auto& each) { return each.type != type; });
  return events;
}

/// What an event says of a file that a step left; its number is its id.
json::object described(const job::Event& found) {
  json::object object{{"id", found.seq}, {"step_id", found.step_id}, {"size", found.blobs.empty() ? 0 : found.blobs.front().size}};
  for (const auto& [key, value] : found.data)
    if (key != "call") object[key] = value.is_string() ? json::value(as_utf8(value.get_string())) : value;
  return object;
}

Answering list_files(const Records& records, std::string job_id, std::string_view type, std::string name) {
  const auto events = events_of(records, job_id, type);
  if (!events) co_return problem(events.error());
  json::array list;
  for (const auto& each : *events) list.push_back(described(each));
  co_return answer(200, json::object{{name, std::move(list)}});
}

/// The file, when it still is one, and below the job's directory: hooks may have put a link there.
Result<http::FileRange> file_of(const fs::path& directory, const job::Blob& blob) {
  std::error_code error;
  const fs::path root = fs::canonical(directory, error), path = error ? fs::path{} : fs::canonical(directory / blob.path, error);
  const auto relative = path.lexically_relative(root);
  const bool below = !error && !relative.empty() && *relative.begin() != "..";
  if (!below || !fs::is_regular_file(path, error) || error) return Error{Fault::unavailable, "the file is not on this machine any more"};
  const auto size = fs::file_size(path, error);
  if (error) return Error{Fault::unavailable, "the file cannot be read: " + error.message()};
  const std::uint64_t offset = blob.range ? blob.range->offset : 0;
  if (offset + blob.size > size) return Error{Fault::unavailable, "the file is shorter than it was"};
  return http::FileRange{path, offset, blob.size};
}

/// Bytes for a program or to be saved: whatever a hook wrote, no browser shall take it for a page of ours.
Answering send_file(const Records& records, Names names, std::string_view type) {
  const auto events = events_of(records, names.at(0), type);
  if (!events) co_return problem(events.error());
  const auto found = std::find_if(events->begin(), events->end(), [&](const auto& each) { return std::to_string(each.seq) == names.at(1); });
  if (found == events->end() || found->blobs.empty()) co_return problem(no_such("file", names.at(1)));
  auto look = [directory = records.jobs_directory / names[0], blob = found->blobs.front()] { return file_of(directory, blob); };
  auto file = co_await records.workers.run(std::move(look));
  if (!file) co_return problem(file.error());
  ServerResponse response;
  response.headers.set("Content-Type", "application/octet-stream");
  response.headers.set("Content-Disposition", "attachment");
  response.headers.set("Cache-Control", "no-store");
  response.body = std::move(*file);
  co_return response;
}

Answering list_tests(const Records& records, ServerRequest&, Names names) {
  return list_files(records, names.at(0), event::result_found, "tests");
}
Answering send_test(const Records& records, ServerRequest&, Names names) { return send_file(records, std::move(names), event::result_found); }
Answering list_artifacts(const Records& records, ServerRequest&, Names names) {
  return list_files(records, names.at(0), event::artifact_found, "artifacts");
}
Answering send_artifact(const Records& records, ServerRequest&, Names names) {
  return send_file(records, std::move(names), event::artifact_found);
}

// ---- the agent ----------------------------------------------------------------------------------------------------

Answering list_waiting(const Records& records, ServerRequest& request, Names names) {
  const auto given = parameters(request.query, {"after", "limit"});
  if (!given) co_return problem(given.error());
  const auto after = number_of(*given, "after", 0, 0, no_limit), limit = number_of(*given, "limit", 100, 1, 1000);
  if (!after) co_return problem(after.error());
  if (!limit) co_return problem(limit.error());
  const auto known = records.deliveries.cursor(names.at(0));
  if (!known) co_return problem(known.error());
  if (!*known) co_return problem(no_such("reporter", names.at(0)));
  const auto rows = records.deliveries.open(names[0], {.after = *after, .limit = static_cast<std::size_t>(*limit)});
  if (!rows) co_return problem(rows.error());
  json::array list;
  for (const auto& row : *rows) {
    const auto made_of = records.journal.read({.after = row.seq - 1, .limit = 1});
    if (!made_of) co_return problem(made_of.error());
    const bool is_there = !made_of->empty() && made_of->front().seq == row.seq;
    list.push_back(json::object{{"position", row.position}, {"key", as_utf8(row.item.key)}, {"job_id", row.item.job_id}, {"kind", row.item.kind},
                                {"state", to_string(row.state)}, {"attempts", row.attempts}, {"reason", as_utf8(row.reason)},
                                {"bytes", row.item.blob ? row.item.blob->size : 0},
                                {"since", is_there ? json::value(to_rfc3339(made_of->front().occurred_at)) : json::value(nullptr)}});
  }
  co_return answer(200, json::object{{"waiting", std::move(list)}});
}

Answering list_plugins(const Records& records, ServerRequest&, Names) {
  auto look = records.plugins();
  json::array plugins = co_await records.workers.run(std::move(look));
  co_return answer(200, json::object{{"plugins", std::move(plugins)}});
}

Answering show_configuration(const Records& records, ServerRequest&, Names) {
  co_return answer(200, json::object{{"configuration", records.configuration()}});
}

Answering show_doctor(const Records& records, ServerRequest& request, Names) {
  const auto given = parameters(request.query, {"max_age"});
  if (!given) co_return problem(given.error());
  const auto most_age = number_of(*given, "max_age", 300, 0, 30 * 24 * 3600);
  if (!most_age) co_return problem(most_age.error());
  co_return answer(200, json::object{{"doctor", records.doctor(std::chrono::seconds{static_cast<std::int64_t>(*most_age)})}});
}

Answering show_page(const Records& records, ServerRequest& request, Names) {
  if (!request.peer_uid) co_return problem(403, "this is told on the unix socket only");
  co_return answer(200, json::object{{"dashboard", records.page()}});
}

Answering stream(const Records& records, ServerRequest& request, Names) {
  co_return records.streams.open(request.headers.get("Last-Event-ID"));
}

constexpr RecordRoute routes[] = {
    {"stream", stream},
    {"jobs/*/logs/*", show_log},
    {"jobs/*/logs/*/index", show_index},
    {"jobs/*/logs/*/search", search_log},
    {"jobs/*/logs/*/sections", show_sections},
    {"jobs/*/usage", show_usage},
    {"jobs/*/tests", list_tests},
    {"jobs/*/tests/*", send_test},
    {"jobs/*/artifacts", list_artifacts},
    {"jobs/*/artifacts/*", send_artifact},
    {"reporters/*/waiting", list_waiting},
    {"plugins", list_plugins},
    {"configuration", show_configuration},
    {"doctor", show_doctor},
    {"dashboard", show_page},
};

}  // namespace

std::span<const RecordRoute> record_routes() { return routes; }

}  // namespace outpost::control
