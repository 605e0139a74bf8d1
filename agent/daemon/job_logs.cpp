#include "agent/daemon/job_logs.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/text.hpp"
#include "agent/log/log_reader.hpp"

#include <algorithm>
#include <limits>
#include <ostream>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

namespace outpost::daemon {
namespace {

namespace fs = std::filesystem;

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + printable(name);
  return text;
}

Result<std::vector<std::string>> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry{directory, error}, end; !error && entry != end; entry.increment(error))
    names.push_back(entry->path().filename().string());
  if (error) return errno_error("cannot read", directory.native(), error.value());
  std::sort(names.begin(), names.end());
  return names;
}

/// The job whose id is, or begins with, what was asked for.
Result<std::string> find_job(const JobLogsOptions& options) {
  auto names = names_in(options.jobs_directory);
  if (!names) return names.error();
  if (std::binary_search(names->begin(), names->end(), options.job)) return options.job;
  std::erase_if(*names, [&](const auto& name) { return !name.starts_with(options.job); });
  if (names->size() == 1) return names->front();
  const auto where = options.jobs_directory.string();
  if (names->empty())
    return Error{Fault::unavailable, "there is no job " + printable(options.job) + " in " + where + " (old ones lose their files)"};
  if (names->size() > 10) names->resize(10);
  return Error{Fault::unavailable, printable(options.job) + " may be any of " + listed(*names)};
}

/// The logs of a job, the earliest first.
Result<std::vector<log::Place>> find_logs(const JobLogsOptions& options, const std::string& job) {
  constexpr std::string_view suffix = ".log";
  const fs::path directory = options.jobs_directory / job;
  auto names = names_in(directory / "logs");
  if (!names) return names.error();
  std::vector<std::string> steps;
  for (const auto& name : *names)
    if (name.ends_with(suffix)) steps.push_back(name.substr(0, name.size() - suffix.size()));
  std::vector<std::pair<Timestamp, log::Place>> found;
  for (const auto& step : steps) {
    if (!options.step.empty() && step != options.step) continue;
    log::Place place{.job_directory = directory, .folder = "logs", .step = step};
    const auto began = log::LineTimes{place.times()}.began();
    found.emplace_back(began.value_or(Timestamp::max()), std::move(place));
  }
  if (found.empty() && !options.step.empty())
    return Error{Fault::unavailable, "the job " + job + " has no log of a step " + printable(options.step) +
                                         (steps.empty() ? "; nothing has printed anything yet" : "; there are " + listed(steps))};
  std::sort(found.begin(), found.end(), [](const auto& left, const auto& right) {
    return std::tie(left.first, left.second.step) < std::tie(right.first, right.second.step);
  });
  std::vector<log::Place> places;
  for (auto& [began, place] : found) places.push_back(std::move(place));
  return places;
}

/// Nothing in it that a terminal obeys, but tabs stay.
std::string for_terminal(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  auto parts = split(line, '\t');
  for (auto& part : parts) part = printable(part, std::numeric_limits<std::size_t>::max());
  return join(parts, "\t");
}

Result<void> print_log(const log::Place& place, const JobLogsOptions& options, std::ostream& out) {
  auto reader = log::LogReader::open(place);
  if (!reader) return reader.error();
  bool in_line = false;
  while (const auto line = reader->next()) {
    if (line->given_back > 0) {
      out << "[" << line->given_back << " bytes are not on this machine any more: they were delivered, and the room was needed]\n";
      continue;
    }
    if (options.times && line->begins) out << (line->time ? to_rfc3339(*line->time) : std::string(27, ' ')) << " ";
    if (options.terminal) out << for_terminal(line->text);
    else out << line->text;
    in_line = !line->ends;
    if (line->ends) out << '\n';
    if (!out) return Error{Fault::retry_later, "the output could not be written"};
  }
  if (in_line && (options.terminal || options.step.empty())) out << '\n';
  return {};
}

}  // namespace

Result<void> print_job_logs(const JobLogsOptions& options, std::ostream& out) {
  const auto job = find_job(options);
  if (!job) return job.error();
  const auto places = find_logs(options, *job);
  if (!places) return places.error();
  for (const auto& place : *places) {
    if (options.step.empty()) out << "==> " << printable(place.step) << " <==\n";
    if (auto printed = print_log(place, options, out); !printed) return printed;
  }
  out.flush();
  if (!out) return Error{Fault::retry_later, "the output could not be written"};
  return {};
}

}  // namespace outpost::daemon
