#include "plugins/dlrn/promoter/run_log.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event_types.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace outpost::promoter {

namespace fs = std::filesystem;
namespace event = job::event;

namespace {

/// Two runs may begin in one second.
constexpr int most_names = 100;

/// "2026-11-27T03:30:12.123Z" without what a file's name is better off without: "20261127T033012Z".
std::string for_a_name(Timestamp time) {
  std::string text = to_rfc3339(time).substr(0, 19);
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text + "Z";
}

/// As Python's logging writes it, in UTC: "2026-11-27 03:30:12,123".
std::string for_a_line(Timestamp time) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count() % 1000;
  std::string text = to_rfc3339(time).substr(0, 19), fraction = std::to_string(milliseconds);
  text[10] = ' ';
  return text + "," + std::string(3 - fraction.size(), '0') + fraction;
}

std::string subject(const Record& record) { return "Candidate hash '" + record.move.candidate.full_hash() + "': "; }

}  // namespace

Result<RunLog> RunLog::make(const fs::path& directory, const std::string& release, const Clock& clock) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return errno_error("cannot create", directory.native(), error.value());
  const std::string name = release + "_" + for_a_name(clock.now());
  for (int attempt = 1;; ++attempt) {
    const fs::path file = directory / (name + (attempt == 1 ? "" : "-" + std::to_string(attempt)) + ".log");
    const int made = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (made < 0 && errno == EEXIST && attempt < most_names) continue;
    if (made < 0) return errno_error("cannot create", file.native(), errno);
    ::close(made);
    return RunLog{file, std::ofstream{file, std::ios::app}, clock};
  }
}

void RunLog::write(std::string_view level, std::string_view line) {
  out_ << for_a_line(clock_->now()) << ' ' << ::getpid() << ' ' << level << " promoter " << printable(line) << '\n' << std::flush;
}

void RunLog::note(const job::Event& noted) {
  Record& record = records_[noted.pipeline_run_id];
  // Of one that an earlier run has begun the report tells.
  if (record.id.empty() && noted.type != event::promotion_begun) return;
  if (!record.apply(noted)) return;
  if (noted.type == event::promotion_begun)
    say(subject(record) + (record.by.empty() ? "criteria met" : "wanted by " + record.by) + ", attempting promotion to " +
        record.move.target().text());
  if (noted.type == event::promotion_ended) tell_end(record);
}

void RunLog::tell_end(const Record& record) {
  const std::string target = record.move.target().text();
  if (record.outcome == "promoted") return say(subject(record) + "SUCCESSFUL promotion to " + target);
  warn(subject(record) + "FAILED promotion attempt to " + target + ": " + record.outcome + ": " + record.message);
}

void RunLog::end(const RunReport& report) {
  std::size_t promoted = 0;
  for (const auto& record : report.resumed) {
    if (record.ended && !records_.contains(record.id)) tell_end(record);
    promoted += record.ended && record.outcome == "promoted" ? 1 : 0;
  }
  for (const auto& line : split(to_text(report), '\n'))
    if (!line.empty()) say(line);
  for (const auto& target : report.targets) promoted += target.outcome == TargetReport::Outcome::promoted ? 1 : 0;
  say("Summary: Promoted " + std::to_string(promoted) + " hashes this round");
  say("Promoter terminated normally");
}

}  // namespace outpost::promoter
