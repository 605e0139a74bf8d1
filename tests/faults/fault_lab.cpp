#include "faults/fault_lab.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "agent/log/segment.hpp"
#include "support/catch.hpp"

#include <boost/asio/io_context.hpp>

#include <unistd.h>
#include <random>

namespace outpost::test {

namespace fs = std::filesystem;
using job::text_at;

std::string payload(std::size_t size, unsigned seed) {
  static constexpr std::string_view digits = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::mt19937 random{seed};
  std::string text;
  text.reserve(size + 64);
  for (std::size_t line = 0; text.size() < size; ++line) {
    text += std::to_string(line) + ' ';
    for (int digit = 0; digit < 48; ++digit) text += digits[random() % digits.size()];
    text += '\n';
  }
  text.resize(size);
  return text;
}

FaultLab::FaultLab(Options options)
    : SampleLab{std::move(options)}, network{static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)))} {
  configure();
}

void FaultLab::configure(const std::string& job, const std::string& top, const std::string& source) {
  const std::string scheme = url.substr(0, url.find(':'));
  SampleLab::configure(job, top,
                       "url: \"" + scheme + network.url().substr(4) + "\"" + (source.empty() ? "" : ", " + source));
}

void FaultLab::printing_hook(const std::string& stage, const std::string& output, std::size_t piece,
                             std::chrono::milliseconds pause) {
  const std::string base = (directory.path / stage).string(), whole = base + ".whole";
  write_file(whole, output);
  const auto pieces = (output.size() + piece - 1) / piece;
  hook(stage, "#!/bin/bash\nfor ((i = 0; i < " + std::to_string(pieces) + "; ++i)); do\n  dd if=" + whole +
                  " bs=" + std::to_string(piece) + " skip=$i count=1 status=none | tee -a " + base + ".out\n  [ -e " +
                  base + ".begun ] || : > " + base + ".begun\n  sleep " +
                  std::to_string(std::chrono::duration<double>{pause}.count()) + "\ndone\n: > " + base + ".printed\n");
}

std::string FaultLab::the_job() {
  const auto all = jobs();
  if (all.size() != 1) throw std::runtime_error{std::to_string(all.size()) + " jobs at the server"};
  return text_at(all.front(), "id");
}

std::string FaultLab::last_state() {
  const auto all = jobs();
  if (all.size() != 1) return "";
  const auto of_job = states(text_at(all.front(), "id"));
  return of_job.empty() ? "" : of_job.back();
}

std::uint64_t FaultLab::taken_from_pipe(const std::string& step_id) const {
  std::uint64_t bytes = 0;
  std::error_code ignored;
  for (const auto& job : fs::directory_iterator{directory.path / "agent/state/jobs", ignored}) {
    const log::Place place{.job_directory = job.path(), .folder = "logs", .step = step_id};
    std::uint64_t end = 0;
    for (const auto& file : log::segment_files(place))
      end = file.begin + (file.packed ? log::SegmentReader::promised_size(place.packed(file.begin)) : file.bytes);
    bytes += end;
  }
  return bytes;
}

Names FaultLab::orphans() {
  Names found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator{"/proc", ignored}) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos || std::stoi(pid) == ::getpid()) continue;
    const std::string command = read_file(entry.path() / "cmdline"), environment = read_file(entry.path() / "environ");
    if (environment.find("OUTPOST_WORKSPACE=" + directory.path.string()) != std::string::npos)
      found.push_back(pid + " " + command);
  }
  return found;
}

std::string FaultLab::polling_error() {
  std::string error;
  until("polling to fail", [&] {
    if (agent_is_up()) error = text_at(status().at("sources").at(0).as_object(), "last_error");
    return !error.empty();
  });
  return error;
}

Names FaultLab::alarms(const std::string& kind) {
  Names messages;
  const auto now = status();
  for (const auto& alarm : now.at("alarms").as_array())
    if (alarm.at("kind").as_string() == kind) messages.emplace_back(alarm.at("message").as_string());
  return messages;
}

namespace {

std::int64_t status_of_process(pid_t pid, const std::string& field) {
  const std::string status = read_file("/proc/" + std::to_string(pid) + "/status");
  const auto at = status.find(field + ":");
  if (at == std::string::npos) throw std::runtime_error{"no " + field + " of process " + std::to_string(pid)};
  return std::stoll(status.substr(at + field.size() + 1)) * 1024;
}

}  // namespace

std::vector<job::Event> events_of(const FaultLab& lab) {
  boost::asio::io_context loop;
  const SystemClock clock;
  auto journal = journal::SqliteJournal::open(lab.directory.path / "agent/state/journal.db", {"host", "boot", "test"},
                                              clock, loop.get_executor());
  if (!journal) throw std::runtime_error{journal.error().message};
  const auto events = (*journal)->read({});
  if (!events) throw std::runtime_error{events.error().message};
  return *events;
}

double processor_seconds(pid_t pid) {
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  const auto fields = split(std::string_view{stat}.substr(stat.rfind(')') + 2), ' ');  // From the third on.
  return (std::stod(std::string{fields.at(11)}) + std::stod(std::string{fields.at(12)})) /
         static_cast<double>(::sysconf(_SC_CLK_TCK));
}

MemoryGrowth::MemoryGrowth(pid_t pid) : pid_{pid} {
  write_file("/proc/" + std::to_string(pid) + "/clear_refs", "5");  // From here on the peak is counted anew.
  start_ = status_of_process(pid, "VmRSS");
}

std::int64_t MemoryGrowth::peak() const { return status_of_process(pid_, "VmHWM"); }
std::int64_t MemoryGrowth::bytes() const { return peak() - start_; }

void check_nothing_lost(const std::string& fault, FaultLab& lab, const JobContent& content,
                        const std::map<std::string, std::string>& logs) {
  std::int64_t lost = 0;
  for (const auto& [step, printed] : logs) {
    INFO(step);
    const auto found = content.logs.find(step);
    const std::string log = found == content.logs.end() ? "" : found->second;
    lost += static_cast<std::int64_t>(printed.size()) - static_cast<std::int64_t>(log.size());
    CHECK(sha256_hex(log) == sha256_hex(printed));
  }
  figure(fault, "bytes lost", in_bytes(lost), "0");
  CHECK(lost == 0);
  const auto jobs = lab.jobs().size();
  figure(fault, "doubled", std::to_string(content.doubled.size() + jobs - 1), "0");
  CHECK(jobs == 1);
  CHECK(content.doubled == Names{});
  CHECK(content.wrong == Names{});
}

}  // namespace outpost::test
