#include "agent/journal/sqlite/sqlite_journal.hpp"

#include "agent/job/event_types.hpp"
#include "agent/journal/sqlite/schema.hpp"
#include "agent/journal/sqlite/state_files.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <boost/asio/detached.hpp>
#include <chrono>
#include <thread>

#include <csignal>

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace outpost;
using journal::SqliteJournal;
using test::holds;

job::Event draft(std::string_view type, std::string job_id = {}) {
  job::Event event;
  event.type = type;
  event.job_id = std::move(job_id);
  return event;
}

journal::Item item(std::string key) {
  journal::Item made;
  made.key = std::move(key);
  made.job_id = "job-1";
  return made;
}

struct Place {
  asio::io_context loop;
  test::TemporaryDirectory directory;
  SystemClock clock;
  fs::path path = directory.path / "journal.db";

  Result<std::unique_ptr<SqliteJournal>> open() {
    return SqliteJournal::open(path, {"host", "boot", "1"}, clock, loop.get_executor());
  }
  Result<std::vector<job::Event>> append(SqliteJournal& journal, std::vector<job::Event> drafts) {
    return test::await(loop, journal.append(std::move(drafts)));
  }
  /// The log may hold good copies of pages that a test damages in the file.
  void remove_log() const {
    fs::remove(path.string() + "-wal");
    fs::remove(path.string() + "-shm");
  }
  std::vector<fs::path> set_aside() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator{directory.path})
      if (entry.path().filename().string().find(".damaged-") != std::string::npos) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
  }
};

}  // namespace

TEST_CASE("A journal that is opened again holds everything and goes on counting", "[journal]") {
  Place place;
  std::string id;
  {
    auto journal = place.open().value();
    id = journal->journal_id();
    REQUIRE(place.append(*journal, {draft(job::event::job_queued, "job-1"), draft("b", "job-1")}));
    std::vector<journal::Item> items{item("a"), item("b")};
    REQUIRE(test::await(place.loop, journal->expand("dci", 2, items)));
    REQUIRE(test::await(place.loop, journal->mark_attempting("dci", "a")));
    REQUIRE(test::await(place.loop, journal->mark_delivered("dci", "a", "remote-1")));
  }
  auto journal = place.open().value();
  CHECK(journal->quarantined().empty());
  CHECK(journal->journal_id() == id);
  CHECK(journal->last() == 2);
  CHECK(journal->cursor("dci").value() == 2);
  CHECK(journal->get("dci", "a").value()->remote_ref == "remote-1");
  CHECK(journal->open("dci").value().size() == 1);
  CHECK(place.append(*journal, {draft("c")}).value().front().seq == 3);
  CHECK(journal->jobs(true, 10).value().size() == 1);
}

TEST_CASE("Other users cannot read the journal", "[journal]") {
  Place place;
  auto journal = place.open().value();
  REQUIRE(place.append(*journal, {draft("a")}));
  for (const auto* suffix : {"", "-wal", "-shm"}) {
    struct stat status{};
    REQUIRE(::stat((place.path.string() + suffix).c_str(), &status) == 0);
    CHECK((status.st_mode & 0007) == 0);
  }
}

TEST_CASE("A second agent on the same state directory is refused by name", "[journal]") {
  Place place;
  auto first = place.open().value();
  const auto second = place.open();
  REQUIRE_FALSE(second);
  CHECK(second.error().fault == Fault::refused);
  CHECK(second.error().message.find("another agent uses this state directory") != std::string::npos);
  CHECK(second.error().message.find("pid " + std::to_string(::getpid())) != std::string::npos);
  first.reset();
  CHECK(place.open());
}

TEST_CASE("A lock that outlives its agent for a moment does not keep the next one out", "[journal]") {
  Place place;
  place.open().value().reset();
  const int lock = ::open((place.path.string() + ".lock").c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(::flock(lock, LOCK_EX | LOCK_NB) == 0);
  const std::string dead = "pid 2147483647, boot x";  // No process has this number.
  REQUIRE(::pwrite(lock, dead.data(), dead.size(), 0) == static_cast<ssize_t>(dead.size()));
  // As what an agent was starting when it was killed: it goes when it becomes another program. Here that is once the
  // next agent has met the lock, and reads whose it is.
  const int looks = ::inotify_init1(IN_CLOEXEC);
  REQUIRE(::inotify_add_watch(looks, (place.path.string() + ".lock").c_str(), IN_ACCESS) >= 0);
  std::thread child{[lock, looks] {
    inotify_event look{};
    [[maybe_unused]] const auto got = ::read(looks, &look, sizeof look);
    ::close(looks);
    ::close(lock);
  }};
  const auto opened = place.open();
  child.join();
  CHECK(opened);
}

TEST_CASE("A missing directory is an error that names it", "[journal]") {
  Place place;
  place.path = place.directory.path / "missing" / "journal.db";
  const auto opened = place.open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().message.find("missing/journal.db") != std::string::npos);
}

TEST_CASE("A file that is no database is set aside and a new journal begun", "[journal]") {
  Place place;
  test::write_file(place.path, std::string(20000, 'x'));
  auto journal = place.open().value();
  CHECK(journal->quarantined().find("was damaged") != std::string::npos);
  REQUIRE(place.set_aside().size() == 1);
  CHECK(test::read_file(place.set_aside().front()) == std::string(20000, 'x'));
  CHECK(journal->quarantined().find("nothing of it could be read") != std::string::npos);
  CHECK(place.append(*journal, {draft("a")}).value().front().seq == 2);  // After journal.restored.
}

TEST_CASE("A journal with a damaged page is set aside under a new journal id", "[journal]") {
  Place place;
  std::string id;
  {
    auto journal = place.open().value();
    id = journal->journal_id();
    for (int round = 0; round < 20; ++round) {
      std::vector<job::Event> drafts(20, draft("a", "job-1"));
      REQUIRE(place.append(*journal, std::move(drafts)));
    }
  }
  std::string bytes = test::read_file(place.path);
  REQUIRE(bytes.size() > 60000);
  for (std::size_t page = 4096 * 3; page + 4096 < bytes.size(); page += 4096) bytes.replace(page, 200, 200, '\xa5');
  test::write_file(place.path, bytes);
  place.remove_log();
  auto journal = place.open().value();
  CHECK(journal->quarantined().find(place.set_aside().at(0).filename().string()) != std::string::npos);
  CHECK(journal->journal_id() != id);
  CHECK(journal->quarantined().find("lost: events") != std::string::npos);
  const auto restored = journal->read({.types = {std::string{job::event::journal_restored}}}).value();
  REQUIRE(restored.size() == 1);
  CHECK(restored.front().seq > 400);  // No number is given twice.
  CHECK(restored.front().journal_id == journal->journal_id());
  CHECK(place.append(*journal, {draft("a")}).value().front().seq == restored.front().seq + 1);
}

TEST_CASE("How the last agent ended decides how much of a file is checked", "[journal]") {
  using journal::sqlite::LastEnd;
  using journal::sqlite::StateLock;
  Place place;
  const auto next = [&](const char* boot) { return StateLock::take(place.path, boot); };
  CHECK(next("boot-1")->last_end() == LastEnd::machine_died);  // Nobody knows.
  CHECK(next("boot-1")->last_end() == LastEnd::agent_died);
  CHECK(next("boot-2")->last_end() == LastEnd::machine_died);
  next("boot-2")->say_closed();
  CHECK(next("boot-2")->last_end() == LastEnd::closed);
  {
    auto lock = next("boot-2");
    lock->say_damaged();
    lock->say_closed();
  }
  CHECK(next("boot-2")->last_end() == LastEnd::damaged);
}

TEST_CASE("Damage that is found while the journal is in use is looked for at the next start", "[journal]") {
  // Larger than what is always checked.
  Place place;
  {
    auto journal = place.open().value();
    std::vector<job::Event> drafts(400, draft("a", "job-1"));
    for (auto& event : drafts) event.data["text"] = std::string(50'000, 'x');
    REQUIRE(place.append(*journal, std::move(drafts)));
  }
  std::string bytes = test::read_file(place.path);
  REQUIRE(bytes.size() > (17 << 20));
  // The pages in the middle belong to the events; the first and the last ones are looked at whenever it is opened.
  for (std::size_t page = bytes.size() / 4 / 4096 * 4096; page < bytes.size() / 2; page += 4096)
    bytes.replace(page, 100, 100, '\xa5');
  test::write_file(place.path, bytes);
  place.remove_log();
  {
    auto journal = place.open().value();
    CHECK(journal->quarantined().empty());
    CHECK_FALSE(journal->read({.limit = 1000000}));
  }
  CHECK_FALSE(place.open().value()->quarantined().empty());
}

TEST_CASE("Another program's database is refused and left alone", "[journal]") {
  Place place;
  {
    journal::sqlite::Database other{place.path, journal::sqlite::Database::Mode::read_write};
    other.execute("CREATE TABLE theirs (x)");
  }
  const std::string before = test::read_file(place.path);
  const auto opened = place.open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().fault == Fault::refused);
  CHECK(opened.error().message.find("another program") != std::string::npos);
  CHECK(test::read_file(place.path) == before);
  CHECK(place.set_aside().empty());
}

TEST_CASE("Each migration is applied once, in order, and keeps the journal's id", "[journal]") {
  using namespace outpost::journal::sqlite;
  Place place;
  Database database{place.path, Database::Mode::read_write};
  const auto ours = migrations();
  std::vector<Migration> steps{ours.begin(), ours.end()};
  const auto first = migrate(database, "j", steps, "id-1", "now").value();
  CHECK(first.journal_id == "id-1");
  CHECK(first.version == ours.back().version);
  steps.push_back({ours.back().version + 1, 1, "CREATE TABLE later (x)"});
  const auto second = migrate(database, "j", steps, "id-2", "now").value();
  CHECK(second.journal_id == "id-1");
  CHECK(second.version == ours.back().version + 1);
  CHECK(second.oldest_reader == 1);
  CHECK(migrate(database, "j", steps, "id-3", "now"));
}

TEST_CASE("A migration that fails changes nothing", "[journal]") {
  using namespace outpost::journal::sqlite;
  Place place;
  Database database{place.path, Database::Mode::read_write};
  const auto ours = migrations();
  std::vector<Migration> steps{ours.begin(), ours.end()};
  REQUIRE(migrate(database, "j", steps, "id-1", "now"));
  steps.push_back({ours.back().version + 1, 1, "CREATE TABLE later (x); CREATE TABLE later (x)"});
  CHECK_THROWS_AS(migrate(database, "j", steps, "id-1", "now"), SqlError);
  CHECK(database.number("SELECT count(*) FROM sqlite_schema WHERE name = 'later'") == 0);
  CHECK(database.number("SELECT schema_version FROM meta") == ours.back().version);
}

TEST_CASE("A downgraded agent uses a newer schema that allows it and refuses one that does not", "[journal]") {
  Place place;
  {
    auto journal = place.open().value();
    REQUIRE(place.append(*journal, {draft(job::event::job_queued, "job-1")}));
    std::vector<journal::Item> items{item("a")};
    REQUIRE(test::await(place.loop, journal->expand("dci", 1, items)));
  }
  const auto in_file = [&](const std::string& sql) {
    journal::sqlite::Database database{place.path, journal::sqlite::Database::Mode::read_write};
    return database.text(sql);
  };
  const auto set = [&](int oldest_reader) {
    journal::sqlite::Database database{place.path, journal::sqlite::Database::Mode::read_write};
    database.execute("UPDATE meta SET schema_version = 9, oldest_reader = " + std::to_string(oldest_reader));
  };
  {
    // What the agent of version 9 has added, and we know nothing of.
    journal::sqlite::Database database{place.path, journal::sqlite::Database::Mode::read_write};
    database.execute(
        "CREATE TABLE hyperlinks (job_id TEXT, target TEXT); INSERT INTO hyperlinks VALUES ('job-1', 'there');"
        "ALTER TABLE events ADD COLUMN colour TEXT; ALTER TABLE deliveries ADD COLUMN lane INTEGER DEFAULT 4;"
        "UPDATE events SET colour = 'blue'; UPDATE deliveries SET lane = 7");
  }
  set(1);
  {
    auto journal = place.open().value();
    CHECK(journal->quarantined().empty());
    CHECK(place.append(*journal, {draft(job::event::job_ended, "job-1")}));
    std::vector<journal::Item> items{item("b")};
    CHECK(test::await(place.loop, journal->expand("dci", 2, items)));
    CHECK(test::await(place.loop, journal->mark_delivered("dci", "a", "remote")));
    CHECK(journal->read({}).value().size() == 2);
  }
  CHECK(in_file("SELECT target FROM hyperlinks") == "there");
  CHECK(in_file("SELECT group_concat(coalesce(colour, '-')) FROM events") == "blue,-");
  CHECK(in_file("SELECT group_concat(lane || state) FROM deliveries") == "7delivered,4pending");
  CHECK(in_file("SELECT schema_version FROM meta") == "9");
  set(8);
  const auto opened = place.open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().fault == Fault::refused);
  CHECK(opened.error().message.find("schema 9") != std::string::npos);
  CHECK(opened.error().message.find("below schema 8") != std::string::npos);
  CHECK(place.set_aside().empty());
}

TEST_CASE("A journal of version 1 is read, brought up to date, and gives its unused space back from then on",
          "[journal]") {
  Place place;
  fs::copy_file(fs::path{OUTPOST_RECORDED_JOURNALS} / "version_1.db", place.path);
  {
    auto journal = place.open().value();
    CHECK(journal->quarantined().empty());
    CHECK(journal->journal_id() == "01a21748-9cd5-7000-90f2-4cbf9442a755");
    const auto events = journal->read({}).value();
    REQUIRE(events.size() == 16);
    CHECK(events[5].claim->external_ref == "remote-1");
    const auto open = journal->jobs(true, 10).value();
    REQUIRE(open.size() == 1);
    const std::string id = open.front().job_id;
    CHECK(journal->cursor("dci").value() == 16);
    CHECK(journal->backlog("dci").value().delivered == 3);
    CHECK(journal->backlog("dci").value().waiting == 2);
    CHECK(journal->parked("dci").value().at(0).reason == "too large");
    CHECK(journal->get("dci", id + "/log/acquire.acme/0").value()->item.blob->path == "logs/acquire.acme.log");
    CHECK(place.append(*journal, {draft(job::event::job_ended, id)}).value().front().seq == 17);
    CHECK(test::await(place.loop, journal->mark_delivered("dci", id + "/state/pre-run", "ref")));
  }
  journal::sqlite::Database database{place.path, journal::sqlite::Database::Mode::read_write};
  CHECK(database.number("SELECT schema_version FROM meta") == 3);
  CHECK(database.number("SELECT oldest_reader FROM meta") == 1);
  CHECK(database.number("PRAGMA auto_vacuum") == 2);
  CHECK(database.text("PRAGMA integrity_check") == "ok");
}

TEST_CASE("Events are read by type through the index of rare types, and by nothing else where they are not",
          "[journal]") {
  Place place;
  {
    auto journal = place.open().value();
    REQUIRE(place.append(*journal, {draft(job::event::job_queued, "job-1"), draft(job::event::step_started, "job-1"),
                                    draft(job::event::alarm_raised), draft(job::event::log_cut, "job-1")}));
    const auto count = [&](std::vector<std::string> types) {
      return journal->read({.types = std::move(types)}).value().size();
    };
    CHECK(count({"job.queued", "alarm.raised"}) == 2);
    CHECK(count({"step.started", "alarm.raised"}) == 2);
    CHECK(count({"log.cut"}) == 1);
  }
  journal::sqlite::Database database{place.path, journal::sqlite::Database::Mode::read_write};
  const std::string condition{journal::sqlite::condition_of_rare_types};
  const auto plan = [&](const std::string& query) {
    journal::sqlite::Statement& rows = database.prepared("EXPLAIN QUERY PLAN " + query);
    const journal::sqlite::ResetAfter reset{rows};
    REQUIRE(rows.row());
    return std::string{rows.text(3)};
  };
  CHECK_THAT(plan("SELECT seq, body FROM events WHERE seq > 0 AND type IN ('a', 'b') AND " + condition +
                  " ORDER BY seq LIMIT 9"),
             holds("USING INDEX events_of_rare_type (type=? AND seq>?)"));
  CHECK(database.number("SELECT count(*) FROM events INDEXED BY events_of_rare_type WHERE " + condition) == 2);
  CHECK(database.number("SELECT count(*) FROM events INDEXED BY events_of_job WHERE job_id IS NOT NULL") == 3);
}

TEST_CASE("The agent of version 1 can go on with a file of this one", "[journal]") {
  // Its statements, as they were.
  Place place;
  {
    auto journal = place.open().value();
    REQUIRE(place.append(*journal, {draft(job::event::job_queued, "job-1")}));
    std::vector<journal::Item> items{item("a")};
    REQUIRE(test::await(place.loop, journal->expand("dci", 1, items)));
  }
  {
    journal::sqlite::Database old{place.path, journal::sqlite::Database::Mode::read_write};
    CHECK(old.number("SELECT oldest_reader FROM meta") == 1);
    old.execute(
        "INSERT INTO events (seq, event_id, type, job_id, occurred_at, body) VALUES (2, 'e', 'job.ended', 'job-1', 5, "
        "'{\"seq\": 2, \"event_id\": \"e\", \"type\": \"job.ended\", \"job_id\": \"job-1\", \"occurred_at\": "
        "\"2026-11-26T10:00:00Z\"}');"
        "UPDATE jobs SET last = 2, ended = 1 WHERE job_id = 'job-1';"
        "INSERT INTO reporters (reporter, cursor) VALUES ('dci', 2) ON CONFLICT (reporter) DO UPDATE SET cursor = "
        "max(cursor, "
        "excluded.cursor); INSERT INTO deliveries (reporter, key, job_id, seq, kind, needs, follows, body, blob, "
        "bytes, "
        "created) VALUES ('dci', 'b', 'job-1', 2, '', '[]', '[]', '{}', NULL, 0, 5) ON CONFLICT (reporter, key) DO "
        "NOTHING");
  }
  auto journal = place.open().value();
  CHECK(journal->quarantined().empty());
  CHECK(journal->read({.job_id = "job-1"}).value().size() == 2);
  CHECK(journal->jobs(true, 10).value().empty());
  CHECK(journal->get("dci", "b").value()->state == journal::DeliveryState::pending);
}

TEST_CASE("When the disk fails an append writes nothing, and works again afterwards", "[journal]") {
  // The file size limit makes write(2) fail as a broken disk does, for root too.
  Place place;
  auto journal = place.open().value();
  REQUIRE(place.append(*journal, {draft("a", "job-1")}));
  std::vector<journal::Item> items{item("x")};
  REQUIRE(test::await(place.loop, journal->expand("dci", 1, items)));
  REQUIRE(test::await(place.loop, journal->mark_attempting("dci", "x")));

  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit tight = before;
  tight.rlim_cur = fs::file_size(place.path.string() + "-wal");
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
  // Lazily: nobody hears of the failure, and it is not forgotten.
  REQUIRE(test::await(place.loop, journal->mark_delivered("dci", "x", "remote-1")));
  job::Event large = draft("large", "job-1");
  large.data["text"] = std::string(1 << 20, 'x');
  std::vector<Result<std::vector<job::Event>>> failed;
  for (int round = 0; round < 3; ++round) failed.push_back(place.append(*journal, {draft("b", "job-2"), large}));
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);

  for (const auto& result : failed) {
    REQUIRE_FALSE(result);
    CHECK(result.error().fault == Fault::retry_later);
    CHECK(result.error().message.find("nothing was written") != std::string::npos);
  }
  CHECK(journal->last() == 1);
  CHECK(journal->read({}).value().size() == 1);
  CHECK(journal->jobs(false, 10).value().size() == 1);
  CHECK(journal->get("dci", "x").value()->state == journal::DeliveryState::delivered);
  CHECK(place.append(*journal, {draft("c", "job-1")}).value().front().seq == 2);
  journal.reset();
  journal = place.open().value();
  CHECK(journal->quarantined().empty());
  CHECK(journal->last() == 2);
  CHECK(journal->get("dci", "x").value()->remote_ref == "remote-1");
}

TEST_CASE("On a full disk an append says so and writes nothing", "[journal]") {
  Place place;
  const fs::path small = place.directory.path / "small";
  fs::create_directory(small);
  if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=3m") != 0) {
    WARN("not tested: mounting a small file system needs root and CAP_SYS_ADMIN");
    return;
  }
  place.path = small / "journal.db";
  {
    auto journal = place.open().value();
    REQUIRE(place.append(*journal, {draft("a")}));
    test::write_file(small / "ballast", std::string(4 << 20, 'x'));
    job::Event large = draft("large");
    large.data["text"] = std::string(1 << 20, 'x');
    const auto failed = place.append(*journal, {large});
    REQUIRE_FALSE(failed);
    CHECK(failed.error().fault == Fault::retry_later);
    CHECK(failed.error().message.find("full") != std::string::npos);
    fs::remove(small / "ballast");
    CHECK(place.append(*journal, {large}).value().front().seq == 2);
  }
  ::umount(small.c_str());
}

TEST_CASE("What is removed gives its space back to the disk", "[journal]") {
  Place place;
  auto journal = place.open().value();
  for (int number = 0; number < 10; ++number) {
    const std::string id = "job-" + std::to_string(number);
    std::vector<job::Event> drafts(20, draft("log.cut", id));
    for (auto& event : drafts) event.data["text"] = std::string(10'000, 'x');
    drafts.push_back(draft(job::event::job_ended, id));
    REQUIRE(place.append(*journal, std::move(drafts)));
  }
  const auto before = journal->size();
  for (int number = 0; number < 9; ++number) {
    const journal::Removal removal{.jobs = {"job-" + std::to_string(number)}};
    REQUIRE(test::await(place.loop, journal->remove(removal, draft(job::event::history_removed))));
  }
  CHECK(journal->read({.job_id = "job-9"}).value().size() == 21);
  journal.reset();
  CHECK(before > 2'000'000);
  CHECK(fs::file_size(place.path) < 600'000);
  CHECK(place.open().value()->quarantined().empty());
}

TEST_CASE("Many writers at once, with more than a transaction log of data, lose nothing", "[journal]") {
  Place place;
  auto journal = place.open().value();
  constexpr int writers = 16, each = 100;
  int done = 0;
  const auto write = [&](int writer) -> asio::awaitable<void> {
    for (int number = 0; number < each; ++number) {
      std::vector<job::Event> drafts{draft("step.ended", "job-" + std::to_string(writer))};
      drafts.front().data["number"] = number;
      drafts.front().data["text"] = std::string(3000, 'x');
      const auto events = co_await journal->append(std::move(drafts));
      if (events) ++done;
    }
  };
  for (int writer = 0; writer < writers; ++writer) asio::co_spawn(place.loop, write(writer), asio::detached);
  place.loop.run();
  CHECK(done == writers * each);
  CHECK(journal->last() == writers * each);
  for (int writer = 0; writer < writers; ++writer) {
    const auto events = journal->read({.job_id = "job-" + std::to_string(writer)}).value();
    REQUIRE(events.size() == each);
    for (int number = 0; number < each; ++number)
      REQUIRE(job::number_at(events[static_cast<std::size_t>(number)].data, "number") == number);
  }
}

TEST_CASE("A journal that is closed with changes still queued writes them first", "[journal]") {
  Place place;
  auto journal = place.open().value();
  const auto write = [&]() -> asio::awaitable<void> {
    std::vector<job::Event> drafts{draft("last words")};
    co_await journal->append(std::move(drafts));
  };
  asio::co_spawn(place.loop, write(), asio::detached);
  place.loop.poll_one();
  journal.reset();
  journal = place.open().value();
  CHECK(journal->last() == 1);
}

TEST_CASE("A journal says since when something waits to be written", "[journal]") {
  Place place;
  auto journal = place.open().value();
  CHECK_FALSE(journal->waiting_since());
  const auto before = std::chrono::steady_clock::now();
  const auto write = [&]() -> asio::awaitable<void> {
    std::vector<job::Event> drafts{draft("a")};
    co_await journal->append(std::move(drafts));
  };
  asio::co_spawn(place.loop, write(), asio::detached);
  place.loop.poll_one();  // Queued; the writer is told when the loop has nothing more to add.
  REQUIRE(journal->waiting_since());
  CHECK(*journal->waiting_since() >= before);
  place.loop.run();
  CHECK_FALSE(journal->waiting_since());
}
