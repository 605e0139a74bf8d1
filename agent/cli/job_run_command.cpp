#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/shown.hpp"
#include "agent/config/job_file.hpp"
#include "agent/daemon/local_job.hpp"
#include "agent/daemon/plugin_check.hpp"
#include "agent/daemon/story_view.hpp"
#include "agent/job/event_types.hpp"

#include <boost/json/array.hpp>

#include <iostream>
#include <system_error>

namespace outpost::cli {

namespace event = job::event;
using job::number_at;
using job::text_at;

namespace {

/// Prints what a step says, line by line, behind the step's name.
class StepPrinter {
 public:
  explicit StepPrinter(std::ostream& out) : out_{out} {}
  void print(std::string_view step_id, std::string_view output) {
    for (const char c : output) {
      if (c != '\n') {
        line_ += c;
        if (line_.size() < 16 * 1024) continue;
      }
      flush(step_id);
    }
  }
  void flush(std::string_view step_id) {
    if (!line_.empty()) out_ << "  " << step_id << " | " << printable(line_) << "\n" << std::flush;
    line_.clear();
  }

 private:
  std::ostream& out_;
  std::string line_;
};

std::string flaky_part(std::int64_t flaky) { return flaky > 0 ? " (" + std::to_string(flaky) + " flaky)" : ""; }

void print_event(const job::Event& each, std::ostream& out) {
  const auto& data = each.data;
  if (each.type == event::step_started) {
    out << "> " << each.step_id << "\n";
  } else if (each.type == event::step_ended) {
    const job::StepEnding ending{job::parse_ending(text_at(data, "ending")).value_or(job::StepEnding::Kind::lost), static_cast<int>(number_at(data, "code")),
                                 text_at(data, "detail")};
    out << "< " << each.step_id << " " << printable(describe(ending)) << " after " << format_duration(std::chrono::milliseconds{number_at(data, "duration_ms")}) << "\n";
  } else if (each.type == event::step_skipped) {
    const auto hook = text_at(data, "hook");
    out << "- " << text_at(data, "stage") << "." << printable(text_at(data, "plugin"));
    if (const auto slash = hook.rfind('/'); slash != hook.npos) out << "." << printable(hook.substr(slash + 1));
    out << " passed over: " << printable(text_at(data, "reason")) << "\n";
  } else if (each.type == event::result_found) {
    out << "  results " << printable(text_at(data, "name")) << ": " << number_at(data, "total") << " cases, " << number_at(data, "success") << " passed" << flaky_part(number_at(data, "flaky")) << ", "
              << number_at(data, "failures") + number_at(data, "errors") << " failed, " << number_at(data, "skips") << " skipped\n";
    for (const auto& name : job::texts_at(data, "failed")) out << "    failed: " << printable(name) << "\n";
    for (const auto& name : job::texts_at(data, "flaky_names")) out << "    flaky: " << printable(name) << "\n";
  } else if (each.type == event::job_warning) {
    out << "  warning: " << printable(text_at(data, "message")) << "\n";
  }
  out << std::flush;
}

Result<std::filesystem::path> directory_for(const JobRunOptions& options) {
  std::filesystem::path directory = options.directory;
  if (directory.empty()) directory = "outpost-job-" + to_basic_utc(SystemClock{}.now());
  std::error_code error;
  directory = std::filesystem::absolute(directory, error);
  if (std::filesystem::exists(directory / "journal.db", error))
    return Error{Fault::refused, directory.string() + " holds an earlier job; choose another --directory or remove it"};
  std::filesystem::create_directories(directory, error);
  if (error) return errno_error("cannot create", directory.native(), error.value());
  return directory;
}

}  // namespace

int run_job(const JobRunOptions& options) {
  const auto file = config::load_job_file(options.file);
  if (file) return run_job(*file, options);
  std::cerr << file.error().text();
  return exit_configuration;
}

int run_job(const config::JobFile& file, const JobRunOptions& options) {
  if (const auto lines = daemon::check_plugins(file, options.file.filename().string()); !lines.empty()) {
    for (const auto& line : lines) std::cerr << line << "\n";
    return exit_configuration;
  }
  const auto directory = directory_for(options);
  if (!directory) {
    std::cerr << "outpost: " << directory.error().message << "\n";
    return exit_usage;
  }
  std::ostream& out = options.as_json ? std::cerr : std::cout;
  StepPrinter printer{out};
  boost::json::array results;
  std::vector<job::Event> skipped;
  daemon::LocalJobOptions local{.directory = *directory, .stages = options.stages, .dry_run = options.dry_run};
  local.event = [&](const job::Event& each, const job::Story&) {
    if (each.type == event::step_ended) printer.flush(each.step_id);
    if (each.type == event::result_found) results.push_back(daemon::test_result(each));
    if (each.type == event::step_skipped) skipped.push_back(each);
    print_event(each, out);
  };
  if (!options.quiet) local.output = [&](std::string_view step_id, std::string_view output) { printer.print(step_id, output); };
  const auto story = daemon::run_local_job(file, local);
  if (!story) {
    std::cerr << "outpost: " << story.error().message << "\n";
    return exit_negative;
  }
  if (!story->judgement) {
    std::cerr << "outpost: " << (story->withdrawn.empty() ? "the job was cancelled before it began" : "the job was " + printable(story->withdrawn)) << "\n";
    return exit_negative;
  }
  options.ended(*story);
  const auto& judgement = *story->judgement;
  const int status = judgement.verdict == job::Verdict::success ? exit_ok : exit_negative;
  const std::string files = options.temporary ? "" : (*directory / "jobs" / story->job.id).string();
  if (options.as_json) {
    auto job = daemon::in_full(*story);
    job["test_results"] = std::move(results);
    job["skipped"] = daemon::skipped_steps(skipped);
    print_document("outpost-job-run", {{"job", std::move(job)}, {"files", files}});
    return status;
  }
  std::cout << "\nverdict: " << to_string(judgement.verdict) << (judgement.message.empty() ? "" : ": " + printable(judgement.message)) << "\n";
  if (story->totals.total > 0)
    std::cout << "tests:   " << story->totals.total << ", " << story->totals.success << " passed" << flaky_part(story->totals.flaky) << ", " << story->totals.failures + story->totals.errors
              << " failed, " << story->totals.skips << " skipped\n";
  if (!files.empty()) std::cout << "files:   " << files << "\n";
  return status;
}

}  // namespace outpost::cli
