// What the agent keeps goes wrong: its journal is damaged, its clock jumps.

#include "faults/fault_lab.hpp"
#include "faults/machine_lab.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "support/catch.hpp"

#include <boost/asio/io_context.hpp>

#include <unistd.h>
#include <csignal>
#include <map>
#include <random>

using namespace outpost;
using namespace outpost::test;
using job::text_at;

namespace fs = std::filesystem;

namespace {

using Events = std::map<std::string, job::Event>;  ///< By their ids.

struct Opened {
  Events events;
  std::string said;  ///< quarantined()
  std::chrono::steady_clock::duration time{};
};

Opened open_journal(const fs::path& file) {
  boost::asio::io_context loop;
  const SystemClock clock;
  const Stopwatch time;
  auto journal = journal::SqliteJournal::open(file, {"host", "boot", "test"}, clock, loop.get_executor());
  if (!journal) throw std::runtime_error{journal.error().message};
  Opened opened{.said = (*journal)->quarantined(), .time = time.elapsed()};
  const auto events = (*journal)->read({});
  if (!events) throw std::runtime_error{events.error().message};
  for (const auto& event : *events) opened.events.emplace(event.event_id, event);
  return opened;
}

struct Damage {
  std::string what;
  std::function<void(const fs::path& journal, std::mt19937& random)> make;
};

void flip(const fs::path& file, std::size_t at, std::size_t count, std::mt19937& random) {
  std::fstream bytes{file, std::ios::in | std::ios::out | std::ios::binary};
  bytes.seekp(static_cast<std::streamoff>(at));
  for (std::size_t number = 0; number < count; ++number) bytes.put(static_cast<char>(random()));
}

std::uint64_t anywhere(const fs::path& file, std::mt19937& random) {
  return std::uniform_int_distribution<std::uint64_t>{0, fs::file_size(file) - 1}(random);
}

const std::vector<Damage>& damages() {
  static const auto log = [](const fs::path& journal) { return fs::path{journal.string() + "-wal"}; };
  static const std::vector<Damage> all{
      {"write-ahead log cut",
       [](const fs::path& journal, std::mt19937& random) {
         fs::resize_file(log(journal), anywhere(log(journal), random));
       }},
      {"write-ahead log torn",
       [](const fs::path& journal, std::mt19937& random) {
         flip(log(journal), anywhere(log(journal), random), 512, random);
       }},
      {"file cut",
       [](const fs::path& journal, std::mt19937& random) { fs::resize_file(journal, anywhere(journal, random)); }},
      {"page overwritten",
       [](const fs::path& journal, std::mt19937& random) {
         flip(journal, anywhere(journal, random) / 4096 * 4096, 4096, random);
       }},
      {"some bytes changed",
       [](const fs::path& journal, std::mt19937& random) { flip(journal, anywhere(journal, random), 8, random); }}};
  return all;
}

/// A job's journal as an agent leaves it that is killed: everything in the write-ahead log, or most of it in the file.
void leave_journal(FaultLab& lab) {
  lab.hook("install", "#!/bin/sh\nseq 1 2000\n");
  lab.hook("test", "#!/bin/sh\necho '<testsuite><testcase name=\"a\"/></testsuite>' > \"$OUTPOST_RESULTS/acme.xml\"\n");
  lab.start_agent();
  for (std::size_t job = 1; job <= 6; ++job) {
    lab.feed("1." + std::to_string(job), {{"notes.txt", "read me\n"}});
    lab.finished_job(job);
    if (job == 5) {  // A stop in good order brings all of it into the file.
      CHECK(lab.stop_agent(SIGTERM) == 0);
      lab.start_agent();
      lab.until("the agent to be up", [&] { return lab.agent_is_up(); });
    }
  }
  lab.stop_agent(SIGKILL);
}

}  // namespace

TEST_CASE("F22: a journal that is cut, torn or overwritten anywhere opens; what it lost is its end, or is named",
          "[F22]") {
  FaultLab lab;
  leave_journal(lab);
  const fs::path left = lab.directory.path / "agent/state";
  const fs::path copy = lab.directory.path / "copy";
  const auto fresh_copy = [&] {
    fs::remove_all(copy);
    fs::create_directories(copy);
    for (const char* name : {"journal.db", "journal.db-wal"}) fs::copy_file(left / name, copy / name);
    return copy / "journal.db";
  };
  const Events whole = open_journal(fresh_copy()).events;
  REQUIRE(whole.size() > 100);
  const auto seed = std::random_device{}();
  std::mt19937 random{seed};
  const int rounds = scaled(30, 200);
  std::chrono::steady_clock::duration slowest{};
  for (const auto& damage : damages()) {
    std::size_t unnamed = 0, lost = 0, wrong = 0, named = 0;
    for (int round = 0; round < rounds; ++round) {
      INFO("seed " << seed << ", " << damage.what << ", round " << round);
      const auto journal = fresh_copy();
      damage.make(journal, random);
      const auto opened = open_journal(journal);
      slowest = std::max(slowest, opened.time);
      job::Seq last = 0;
      for (const auto& [id, event] : opened.events)
        if (const auto original = whole.find(id); original != whole.end()) {
          last = std::max(last, original->second.seq);
          wrong += original->second.type != event.type || original->second.data != event.data;
        } else if (opened.said.empty()) {
          ++wrong;  // Only one that was begun anew has events of its own.
        }
      // Without a word only the end may be missing.
      for (const auto& [id, event] : whole)
        if (!opened.events.contains(id)) {
          ++lost;
          unnamed += opened.said.empty() && event.seq < last;
        }
      named += !opened.said.empty();
    }
    figure("F22", damage.what + ": of " + std::to_string(rounds) + " told", std::to_string(named), "");
    figure("F22", damage.what + ": events lost, of " + std::to_string(rounds * whole.size()), std::to_string(lost), "");
    figure("F22", damage.what + ": wrong, lost from the middle without a word",
           std::to_string(wrong) + ", " + std::to_string(unnamed), "0, 0");
    CHECK(wrong == 0);
    CHECK(unnamed == 0);
  }
  figure("F22", "slowest start", in_seconds(slowest), "at most 2 s (figure)");

  // And the whole agent, with its server away so that the journal is all it has.
  lab.network.close();
  const fs::path kept = lab.directory.path / "kept";
  fs::copy(left, kept, fs::copy_options::recursive);
  for (const auto& damage : damages()) {
    INFO(damage.what);
    fs::remove_all(left);
    fs::copy(kept, left, fs::copy_options::recursive);
    damage.make(left / "journal.db", random);
    lab.start_agent();
    lab.until("the agent to be up", [&] { return lab.agent_is_up(); });
    CHECK(lab.stop_agent(SIGTERM) == 0);
  }
}

namespace {

/// Runs the agent with a wall clock that is ours to set; the clock since boot stays.
struct WrongClock {
  explicit WrongClock(FaultLab& lab) : file{lab.directory.path / "clock"} { set("+0"); }
  void set(const std::string& offset) const {
    write_file(file.string() + ".new", offset + "\n");
    fs::rename(file.string() + ".new", file);
  }
  [[nodiscard]] Names environment() const {
    return {"LD_PRELOAD=" + library(), "FAKETIME_TIMESTAMP_FILE=" + file.string(), "FAKETIME_NO_CACHE=1",
            "DONT_FAKE_MONOTONIC=1"};
  }
  static std::string library() {
    for (const char* directory :
         {"/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib64/faketime"})
      if (const auto found = fs::path{directory} / "libfaketime.so.1"; fs::exists(found)) return found;
    return "";
  }
  fs::path file;
};

/// A clock that is too far off counts as refused credentials, which are tried three times an hour.
const std::string soon_tried_again = "credentials_retry: 1s";

}  // namespace

TEST_CASE("F18: a clock that is wrong at the start is told with both times, and nothing is lost by it", "[F18]") {
  if (WrongClock::library().empty()) return skip("F18: there is no libfaketime (package faketime)");
  const std::string offset = GENERATE(as<std::string>{}, "+1h", "-1h", "+1d", "-1d");
  INFO(offset);
  FaultLab lab;
  const WrongClock clock{lab};
  lab.configure("", "", soon_tried_again);
  lab.hook("test", "#!/bin/sh\necho testing\n");
  lab.feed("1.0", {{"notes.txt", "read me\n"}});
  clock.set(offset);
  lab.start_agent(clock.environment());
  CHECK_THAT(lab.polling_error(),
             holds("this machine's clock says 20") && holds("the server's ") && holds(" GMT: ") && holds("apart"));
  CHECK(lab.jobs().empty());
  clock.set("+0");
  const Stopwatch right;
  lab.finished_job();
  figure("F18", offset + " at the start: job done after it was set right", right.text(), "(figure)");
  const auto content = content_of(lab, lab.the_job());
  CHECK(content.states == good_way);
  check_nothing_lost("F18", lab, content, {{"test/acme/test", "testing\n"}});
  CHECK(lab.stop_agent(SIGTERM) == 0);
}

TEST_CASE("F18: a clock that is set right is noticed: what was refused for it is tried again at once", "[F18]") {
  if (const auto why = SecondKernel::why_not(); !why.empty()) return skip("F18: " + why);
  MachineLab lab{256u << 20};
  // Whoever waits for the next regular try waits longer than this test.
  lab.lab.configure("", "disk: {keep_free: 16MiB, reserve: 0}\n",
                    "url: \"" + lab.network.url() + "\", credentials_retry: 1h");
  lab.lab.hook("test", "#!/bin/sh\necho testing\n");
  lab.lab.feed("1.0", {});
  const auto machine = lab.boot("date -s '1 day ago' > /dev/null");
  lab.until("the clocks to be told", [&] { return lab.agent_log().find("clock skew") != std::string::npos; });
  CHECK(lab.lab.jobs().empty());
  lab.set_clock(std::chrono::system_clock::now());
  const Stopwatch right;
  lab.until("the job to be done", [&] { return lab.lab.jobs().size() == 1 && lab.is_at_rest(); });
  figure("F18", "set right in the second kernel: job done after", right.text(), "not the hour of credentials_retry");
  CHECK_THAT(lab.agent_log(), holds("this machine's clock was set"));
  const auto content = content_of(lab.lab, text_at(lab.lab.jobs()[0], "id"));
  CHECK(content.states == good_way);
  CHECK(content.doubled == Names{});
  CHECK(content.wrong == Names{});
}

TEST_CASE("F18: a clock that jumps while a hook runs neither ends it early nor is measured", "[F18]") {
  if (WrongClock::library().empty()) return skip("F18: there is no libfaketime (package faketime)");
  const std::string offset = GENERATE(as<std::string>{}, "+1h", "-1h", "+1d", "-1d", "+1");
  INFO(offset);
  FaultLab lab;
  const WrongClock clock{lab};
  lab.configure("    timeout: 30min\n", "", soon_tried_again);
  const auto file = [&](const std::string& name) { return (lab.directory.path / name).string(); };
  lab.hook("install", "#!/bin/bash\necho begun\nread -r begin _ < /proc/uptime\n: > " + file("runs") + "\nuntil [ -e " +
                          file("go") +
                          " ]; do sleep 0.05; done\nread -r end _ < /proc/uptime\necho \"$begin $end\" > " +
                          file("took") + "\necho done\n");
  lab.feed("1.0", {{"notes.txt", "read me\n"}});
  const Stopwatch whole;
  lab.start_agent(clock.environment());
  lab.until("the hook to run", [&] { return lab.has("runs"); });
  clock.set(offset);
  // Whatever looks at the clock while it is wrong: polls go on, and at least one is answered or refused.
  const auto requests = lab.requests().size();
  lab.until("the agent to notice", [&] { return lab.requests().size() > requests + 2; });
  write_file(file("go"), "");
  lab.until("the job to end here", [&] { return lab.status().at("jobs").at("running").as_array().empty(); });
  clock.set("+0");
  lab.finished_job();
  const auto content = content_of(lab, lab.the_job());
  CHECK(content.states == good_way);
  check_nothing_lost("F18", lab, content, {{"install/acme/install", "begun\ndone\n"}});
  std::istringstream took{read_file(file("took"))};
  double begin = 0, end = 0;
  took >> begin >> end;
  const double measured = lab.key_values(content.id).at("stage_install_seconds");
  figure("F18", offset + " in a hook: measured - real", std::to_string(measured - (end - begin)).substr(0, 6) + " s",
         "at most 0.05 s and the start of a process (figure)");
  CHECK(measured >= end - begin - 0.05);
  CHECK(measured <= std::chrono::duration<double>{whole.elapsed()}.count());
  CHECK(lab.stop_agent(SIGTERM) == 0);
}
