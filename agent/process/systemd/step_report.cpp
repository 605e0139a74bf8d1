#include "agent/process/systemd/step_report.hpp"

#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fstream>
#include <utility>

namespace outpost::process {
namespace {

constexpr std::array<std::pair<std::string_view, std::optional<std::uint64_t> Figures::*>, 6> figure_names{{
    {"cpu_us", &Figures::cpu_us},
    {"memory_peak", &Figures::memory_peak},
    {"read_bytes", &Figures::read_bytes},
    {"written_bytes", &Figures::written_bytes},
    {"tasks_peak", &Figures::tasks_peak},
    {"oom_kills", &Figures::oom_kills},
}};

std::string_view next_word(std::string_view& line) {
  const auto end = line.find(' ');
  const auto word = line.substr(0, end);
  line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  return word;
}

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

void apply(StepReport& report, std::string_view line) {
  const auto name = next_word(line);
  if (name == "invocation") report.invocation = line;
  if (name == "stopped") report.stopped = true;
  if (name == "leftovers") report.leftovers = number_in<unsigned>(line).value_or(0);
  if (name == "not-started") {
    const auto phase = next_word(line);
    report.start_failure = {std::string{phase}, number_in<int>(line).value_or(0)};
  }
  if (name == "exit" && !report.complete) {  // Else of somebody who started the unit again.
    report.exit_kind = next_word(line);
    report.exit_status = line;
  }
  if (name == "ended") {
    report.result = next_word(line);
    report.exit_kind = next_word(line);
    report.exit_status = line;
    report.complete = true;
  }
  for (const auto& [figure, member] : figure_names)
    if (name == figure) report.figures.*member = number_in<std::uint64_t>(line);
}

int signal_named(std::string_view name) {
  for (int signal = 1; signal < NSIG; ++signal)
    if (const char* known = ::sigabbrev_np(signal); known && name == known) return signal;
  return number_in<int>(name).value_or(SIGKILL);
}

bool failed(const StepReport& report) { return report.exit_kind != "exited" || report.exit_status != "0"; }

}  // namespace

StepReport parse_report(std::string_view text) {
  StepReport report;
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) break;  // Cut short.
    apply(report, text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return report;
}

StepReport read_report(const std::filesystem::path& file) {
  constexpr std::streamsize limit = 64 * 1024;
  std::string text(limit, '\0');
  std::ifstream stream{file, std::ios::binary};
  stream.read(text.data(), limit);
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return parse_report(text);
}

std::string to_text(const StepReport& report) {
  std::string text;
  if (!report.invocation.empty()) text += "invocation " + report.invocation + "\n";
  if (report.start_failure)
    text += "not-started " + report.start_failure->phase + " " + std::to_string(report.start_failure->code) + "\n";
  if (report.stopped) text += "stopped\n";
  if (report.leftovers > 0) text += "leftovers " + std::to_string(report.leftovers) + "\n";
  for (const auto& [name, member] : figure_names)
    if (const auto& value = report.figures.*member) text += std::string{name} + " " + std::to_string(*value) + "\n";
  if (!report.complete && !report.exit_kind.empty()) text += "exit " + report.exit_kind + " " + report.exit_status + "\n";
  if (report.complete) text += "ended " + report.result + " " + report.exit_kind + " " + report.exit_status + "\n";
  return text;
}

Ending ending_of(const StepReport& report, const Stops& stops) {
  if (stops.cancelled) return Cancelled{};
  if (stops.timed_out) return TimedOut{};
  // Where the kernel does not tell systemd of it (cgroup v1), the command has just been killed, or a part of it was.
  if (report.result == "oom-kill" || (report.figures.oom_kills.value_or(0) > 0 && failed(report))) return OutOfMemory{};
  if (report.stopped) return StoppedOutside{};
  if (report.exit_kind == "exited") return Exited{number_in<int>(report.exit_status).value_or(255)};
  if (report.exit_kind.empty()) return Lost{"its unit ended with \"" + report.result + "\" and no exit status"};
  return Killed{signal_named(report.exit_status)};
}

}  // namespace outpost::process
