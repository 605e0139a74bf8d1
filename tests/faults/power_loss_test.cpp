// The power goes: journal and spool lie on ext4 in a machine of its own that is cut at random moments.

#include "faults/fault_lab.hpp"
#include "faults/machine_lab.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "agent/job/event_types.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "support/catch.hpp"

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <sstream>
#include <thread>

using namespace outpost;
using namespace outpost::test;
using job::number_at;
using job::text_at;

namespace fs = std::filesystem;

namespace {

const std::string step_id = "install.acme", step = "install/acme/install";

/// Jobs of random lengths in a machine that is cut.
class CutLab : public MachineLab {
 public:
  CutLab() : MachineLab{768u << 20} {
    lab.configure("    tags: [cut]\n", "logs: {segment_size: 32KiB}\n", "url: \"" + network.url() + "\"");
    lab.hook("install", "#!/bin/bash\nread -r lines < " + path("lines.") +
                            "\"$OUTPOST_COMPONENT_ACME_VERSION\"\n"
                            "for ((; lines > 0; --lines)); do IFS= read -r line && printf '%s\\n' \"$line\"; done < " +
                            path("payload") + "\n");
    lab.hook("test",
             "#!/bin/bash\necho testing\necho '<testsuite><testcase name=\"a\"/></testsuite>' > "
             "\"$OUTPOST_RESULTS/acme.xml\"\n"
             "cp " +
                 path("artifact") + " \"$OUTPOST_ARTIFACTS/kept.bin\"\n");
    lab.hook("collect", "#!/bin/sh\necho collected\n");
    write_file(lab.directory.path / "payload", payload_);
    write_file(lab.directory.path / "artifact", payload(300'000, 9));
  }

  void feed(std::mt19937& random) {
    const std::string version = std::to_string(++versions_);
    // Some end between two cuts, others never would.
    lines_[version] = std::uniform_int_distribution<std::size_t>{500, 20'000}(random);
    write_file(lab.directory.path / ("lines." + version), std::to_string(lines_[version]) + "\n");
    lab.feed(version, {{"notes.txt", "read me\n"}});
  }

  /// Whether the newest component has its job; older ones may have been passed over for it.
  bool newest_is_taken() {
    const auto jobs = lab.jobs();
    return std::any_of(jobs.begin(), jobs.end(), [&](const auto& job) {
      const auto row = lab.admin("GET", "/jobs/" + text_at(job, "id")).at("job").as_object();
      const auto& components = row.at("components").as_array();
      return !components.empty() && text_at(components.front().as_object(), "version") == std::to_string(versions_);
    });
  }

  /// Whether every job that is at the server has ended there.
  bool all_ended() {
    const auto jobs = lab.jobs();
    return std::all_of(jobs.begin(), jobs.end(),
                       [&](const auto& job) { return lab.key_values(text_at(job, "id")).contains("steps"); });
  }

  /// How long a file below jobs/ was each time that it was synced, as "JOB/logs/NAME", in the boot `boot` or in any.
  [[nodiscard]] std::vector<std::uint64_t> synced(const std::string& file, const std::string& boot = "") const {
    std::vector<std::uint64_t> sizes;
    std::istringstream lines{read_file(out() / "synced")};
    std::string now;
    for (std::string line; std::getline(lines, line);) {
      const auto space = line.find(' ');
      if (line.starts_with("boot "))
        now = line.substr(space + 1);
      else if ((boot.empty() || now == boot) && line.ends_with("/jobs/" + file))
        sizes.push_back(std::stoull(line.substr(0, space)));
    }
    return sizes;
  }

  /// What a file of raw output holds, once the agent was stopped; "" when there is none.
  [[nodiscard]] std::string sha256_of_raw(const std::string& file) const {
    std::istringstream lines{read_file(out() / "raw")};
    for (std::string line; std::getline(lines, line);)
      if (line.ends_with("/jobs/" + file)) return line.substr(0, line.find(' '));
    return "";
  }

  [[nodiscard]] const std::string& all_lines() const { return payload_; }
  [[nodiscard]] std::string printed_by(const std::string& version) const {
    std::size_t end = 0;
    for (std::size_t line = 0; line < lines_.at(version); ++line) end = payload_.find('\n', end) + 1;
    return payload_.substr(0, end);
  }

 private:
  std::string payload_ = payload(4u << 20);
  std::map<std::string, std::size_t> lines_;
  int versions_ = 0;
};

/// Takes the marks for what could not be kept out of a log.
std::string without_gaps(const std::string& log, std::size_t& gaps) {
  std::string rest;
  for (std::size_t at = 0; at < log.size();) {
    const auto end = std::min(log.find('\n', at), log.size() - 1) + 1;
    if (log.compare(at, 5, "[gap:") == 0)
      ++gaps;
    else
      rest.append(log, at, end - at);
    at = end;
  }
  return rest;
}

/// Where a log is not the beginning of what was printed, with what stands around it; "" when it is.
std::string first_difference(const std::string& log, const std::string& printed) {
  const auto size = std::min(log.size(), printed.size());
  const auto at = static_cast<std::size_t>(
      std::mismatch(log.begin(), log.begin() + static_cast<std::ptrdiff_t>(size), printed.begin()).first - log.begin());
  if (at == log.size()) return "";
  const auto around = at < 100 ? 0 : at - 100;
  return "at " + std::to_string(at) + " of " + std::to_string(log.size()) + ": " + printable(log.substr(around, 300));
}

}  // namespace

TEST_CASE("power-loss: what was synced survives every cut of the power, the journal opens, and all arrives once",
          "[power-loss]") {
  if (const auto why = SecondKernel::why_not(); !why.empty()) return skip("power-loss: " + why);
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  CutLab cut;
  const int cuts = scaled(30, 300);
  const Stopwatch time;
  for (int number = 0; number < cuts; ++number) {
    if (cut.all_ended()) cut.feed(random);
    const auto machine = cut.boot();
    // Now and then the power goes again while the machine still starts.
    const bool soon = number % 10 == 9;
    if (!soon) cut.until("the agent to be started in the machine", [&] { return cut.has_started(); });
    // Not to wait for something: the instant is what is random.
    std::this_thread::sleep_for(
        std::chrono::milliseconds{std::uniform_int_distribution{0, soon ? 2000 : 5500}(random)});
    machine->cut();
    INFO(machine->console());
    REQUIRE_FALSE(fs::exists(cut.out() / "broken"));
  }
  const auto machine = cut.boot();
  const Stopwatch converging;
  // The last job may have all its lines still to print, in a machine that is slow and has half a processor.
  cut.until(
      "everything to arrive", [&] { return cut.newest_is_taken() && cut.all_ended() && cut.is_at_rest(); },
      std::chrono::minutes{5});
  figure("power-loss", "converged after the last boot", converging.text(), "(figure)");
  cut.stop();
  machine->cut();

  boost::asio::io_context loop;
  const SystemClock clock;
  auto journal = journal::SqliteJournal::open(cut.journal(), {"host", "boot", "test"}, clock, loop.get_executor());
  REQUIRE(journal);
  CHECK((*journal)->quarantined().empty());
  const auto events = (*journal)->read({});
  REQUIRE(events);
  std::set<std::string> journals;
  std::map<std::string, std::string> remote, boot;
  std::map<std::string, std::vector<job::Event>> packed;  // What the journal says of raw output.
  for (const auto& event : *events) {
    journals.insert(event.journal_id);
    if (event.type == job::event::step_started && event.step_id == step_id) boot[event.job_id] = event.boot_id;
    if (event.type == job::event::log_segment && event.step_id == step_id) packed[event.job_id].push_back(event);
    if (event.type == job::event::claim_granted) remote[event.job_id] = event.claim->external_ref;
  }
  CHECK(journals.size() == 1);

  std::int64_t lost = 0, kept = 0;
  std::size_t segments = 0, gaps = 0, doubled = 0, complete = 0;
  for (const auto& [job, id] : remote) {
    INFO("job " << job << ", at the server " << id);
    const auto content = content_of(cut.lab, id);
    CHECK(content.doubled == Names{});
    CHECK(content.wrong == Names{});
    doubled += content.doubled.size();
    const auto found = content.logs.find(step);
    const std::string whole = found == content.logs.end() ? "" : found->second, log = without_gaps(whole, gaps);
    INFO("its log begins with " << printable(whole.substr(0, 300)));
    // A mark that begins in the middle of a line has ended it.
    const bool ended = !log.empty() && !cut.all_lines().starts_with(log);
    CHECK(first_difference(log.substr(0, log.size() - ended), cut.all_lines()) == "");
    const auto sent = static_cast<std::int64_t>(log.size() - ended);
    // Later sizes of the log count the marks for what was lost too.
    std::int64_t sure = 0;
    if (boot.contains(job))
      for (const auto size : cut.synced(job + "/logs/" + step_id + ".log", boot[job])) sure = std::max(sure, static_cast<std::int64_t>(size));
    for (const auto& segment : packed[job]) {
      REQUIRE(segment.blobs.size() == 1);
      const auto& blob = segment.blobs.front();
      INFO("raw output " << blob.path);
      const auto sizes = cut.synced(job + "/" + blob.path);
      CHECK(std::find(sizes.begin(), sizes.end(), blob.size) != sizes.end());
      CHECK(cut.sha256_of_raw(job + "/" + blob.path) == blob.sha256);
      sure = std::max(sure, number_at(segment.data, "begin") + number_at(segment.data, "size"));
      ++segments;
    }
    kept += sure;
    lost += std::max<std::int64_t>(0, sure - sent);
    if (content.states.back() == "success") {
      ++complete;
      const auto row = cut.lab.admin("GET", "/jobs/" + id).at("job").as_object();
      const auto printed = cut.printed_by(text_at(row.at("components").at(0).as_object(), "version"));
      CHECK(log.size() == printed.size());  // Its beginning is right, as shown above.
      CHECK(content.files.at("kept.bin") == payload(300'000, 9));
      CHECK(content.results == std::map<std::string, std::int64_t>{{"test/acme/acme", 1}});
    } else {
      CHECK(content.states.back() == "error");
      CHECK_THAT(content.verdict_comment, holds("the machine was restarted"));
    }
  }
  CHECK(cut.lab.jobs().size() == remote.size());
  figure("power-loss", "cuts, in", std::to_string(cuts) + ", " + time.text(), is_soak() ? "300" : "30");
  figure("power-loss", "jobs, of these not disturbed", std::to_string(remote.size()) + ", " + std::to_string(complete),
         "");
  figure("power-loss", "synced bytes lost, of " + in_bytes(kept), in_bytes(lost), "0");
  CHECK(lost == 0);
  figure("power-loss", "segments of raw output, synced and whole", std::to_string(segments), "at least 1");
  CHECK(segments > 0);
  figure("power-loss", "doubled", std::to_string(doubled), "0");
  figure("power-loss", "gap marks", std::to_string(gaps), "");
  figure("power-loss", "journals set aside", std::to_string(journals.size() - 1), "0");
}
