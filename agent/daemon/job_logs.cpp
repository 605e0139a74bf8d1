#include "agent/daemon/job_logs.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/ids.hpp"
#include "agent/base/text.hpp"
#include "agent/log/log_reader.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <ostream>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace outpost::daemon {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

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
  std::error_code ignored;
  if (!names && !fs::exists(directory / "logs", ignored)) names = std::vector<std::string>{};  // It has only begun.
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

/// A line of a log as a line of JSON. Bytes that are no UTF-8 are escaped as for a terminal.
void print_json(const std::string& step, const log::Line& line, std::ostream& out) {
  json::object row{{"step_id", step}};
  if (line.given_back > 0) {
    row["given_back"] = line.given_back;
  } else {
    row["time"] = line.time ? json::value(to_rfc3339(*line.time)) : json::value(nullptr);
    row["text"] = is_utf8(line.text) ? line.text : printable(line.text, line.text.size() * 4);
    row["continued"] = !line.begins;
  }
  out << json::serialize(row) << "\n";
}

void print_head(const std::string& job, const JobLogsOptions& options, std::ostream& out) {
  if (options.json) out << json::serialize(json::object{{"schema", "outpost-job-logs"}, {"version", 1}, {"job_id", job}}) << "\n";
}

Result<void> print_log(const log::Place& place, const JobLogsOptions& options, std::ostream& out) {
  auto reader = log::LogReader::open(place);
  if (!reader) return reader.error();
  bool in_line = false;
  while (const auto line = reader->next()) {
    if (options.json) {
      print_json(place.step, *line, out);
      continue;
    }
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
  print_head(*job, options, out);
  for (const auto& place : *places) {
    if (options.step.empty() && !options.json) out << "==> " << printable(place.step) << " <==\n";
    if (auto printed = print_log(place, options, out); !printed) return printed;
  }
  out.flush();
  if (!out) return Error{Fault::retry_later, "the output could not be written"};
  return {};
}

namespace {

/// One log that grows.
struct Followed {
  std::uint64_t printed = 0;  ///< Bytes.
  bool in_line = false;
  std::optional<log::LogReader> reader;  ///< For programs.
};

/// The same for programs, line by line.
void print_new_json(const log::Place& place, Followed& log, std::ostream& out) {
  if (!log.reader)
    if (auto opened = log::LogReader::open(place)) log.reader.emplace(std::move(*opened));
  while (log.reader && out) {
    const auto line = log.reader->next();
    if (!line) return;
    print_json(place.step, *line, out);
  }
}

/// Bytes at the end of a text that begin a character of UTF-8 of which the rest is still to come.
std::size_t open_character(std::string_view text) {
  constexpr std::size_t longest = 4;
  for (std::size_t back = 1; back <= std::min(longest - 1, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

/// What has been added to a log since the last look; true when there was something. On a terminal the beginning of a
/// character waits for its rest, unless this is the `last` look.
bool print_new(const log::Place& place, Followed& log, const std::string& head, const JobLogsOptions& options, bool last, std::ostream& out) {
  std::ifstream file{place.log(), std::ios::binary};
  bool any = false;
  char bytes[64 * 1024];
  while (file && out) {
    file.seekg(static_cast<std::streamoff>(log.printed));
    file.read(bytes, sizeof bytes);
    std::string_view read{bytes, static_cast<std::size_t>(file.gcount())};
    const bool is_whole = file.eof() && last;
    if (options.terminal && !is_whole) read.remove_suffix(open_character(read));
    if (read.empty()) break;
    if (!any && !head.empty()) out << head;
    any = true;
    log.printed += read.size();
    log.in_line = read.back() != '\n';
    if (!options.terminal) {
      out << read;
      continue;
    }
    const auto lines = split(read, '\n');
    for (std::size_t at = 0; at < lines.size(); ++at) out << (at == 0 ? "" : "\n") << for_terminal(lines[at]);
  }
  return any;
}

}  // namespace

Result<void> follow_job_logs(const JobLogsOptions& options, std::ostream& out, const std::function<bool(const std::string& job_id)>& ended) {
  constexpr auto look_again = std::chrono::milliseconds{300};
  auto job = find_job(options);
  // One that waits, or has been claimed this moment, has no directory yet.
  for (; !job && is_uuid(options.job) && !ended(options.job); job = find_job(options)) std::this_thread::sleep_for(look_again);
  if (!job) return job.error();
  print_head(*job, options, out);
  std::map<std::string, Followed> logs;
  std::string last;
  for (bool over = false;;) {
    const auto places = find_logs(options, *job);
    // A step that is waited for by name may not have begun.
    if (!places && (over || places.error().fault != Fault::unavailable)) return places.error();
    for (const auto& place : places ? *places : std::vector<log::Place>{}) {
      auto& log = logs[place.step];
      if (options.json) {
        print_new_json(place, log, out);
        continue;
      }
      const std::string head = last == place.step || !options.step.empty() ? "" : (!last.empty() && logs[last].in_line ? "\n" : "") + ("==> " + printable(place.step) + " <==\n");
      if (print_new(place, log, head, options, over, out)) last = place.step;
    }
    out.flush();
    if (!out) return Error{Fault::retry_later, "the output could not be written"};
    // What came before it ended is printed in a last round.
    if (over) return {};
    over = ended(*job);
    if (!over) std::this_thread::sleep_for(look_again);
  }
}

}  // namespace outpost::daemon
