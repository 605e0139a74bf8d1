// A journal that was cut or changed at any point: it opens, and whatever it lost of what was acknowledged it names.

#include "agent/job/event_types.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <map>
#include <random>

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace json = boost::json;
using namespace outpost;
using journal::SqliteJournal;

job::Event draft(std::string_view type, std::string job_id = {}, json::object data = {}) {
  job::Event event;
  event.type = type;
  event.job_id = std::move(job_id);
  event.data = std::move(data);
  return event;
}

/// The files of a journal in a directory, as they are at one moment.
struct Files {
  std::map<std::string, std::string> bytes;

  static Files of(const fs::path& directory) {
    Files files;
    for (const auto& entry : fs::directory_iterator{directory})
      if (const auto name = entry.path().filename().string(); name != "journal.db-shm")
        files.bytes[name] = test::read_file(entry.path());
    return files;
  }
  void put(const fs::path& directory) const {
    for (const auto& entry : fs::directory_iterator{directory}) fs::remove_all(entry.path());
    for (const auto& [name, content] : bytes) test::write_file(directory / name, content);
  }
};

struct Place {
  asio::io_context loop;
  test::TemporaryDirectory directory;
  SystemClock clock;

  std::unique_ptr<SqliteJournal> open() {
    auto opened = SqliteJournal::open(directory.path / "journal.db", {"host", "boot", "1"}, clock, loop.get_executor());
    REQUIRE(opened);
    return std::move(*opened);
  }
  std::vector<job::Event> append(SqliteJournal& journal, std::vector<job::Event> drafts) {
    auto written = test::await(loop, journal.append(std::move(drafts)));
    REQUIRE(written);
    return std::move(*written);
  }
  void expand(SqliteJournal& journal, job::Seq seq, const std::string& job_id, const std::string& key) {
    journal::Item item;
    item.key = key;
    item.job_id = job_id;
    item.body = {{"text", std::string(200, 'i')}};
    std::vector<journal::Item> items{std::move(item)};
    REQUIRE(test::await(loop, journal.expand("dci", seq, std::move(items))));
  }
};

/// Two jobs that have ended, one that runs and one that waits, with what a reporter made of them; and the files as a
/// kill -9 leaves them.
struct Recorded {
  explicit Recorded(unsigned padding) {
    Place place;
    auto journal = place.open();
    keep(place.append(*journal, {draft(job::event::reporter_registered, {}, {{"reporter", "dci"}})}));
    for (const char* id : {"job-1", "job-2", "job-3", "job-4"}) {
      const std::string job_id = id;
      keep(place.append(*journal, {draft(job::event::component_seen, {}, {{"component", {{"id", job_id}}}}),
                                   draft(job::event::job_queued, job_id, {{"reporters", json::array{"dci"}}})}));
      if (job_id == "job-4") break;
      keep(place.append(*journal, {draft(job::event::claim_requested, job_id, {{"claim_id", "c"}})}));
      for (int number = 0; number < 12; ++number) {
        keep(place.append(*journal,
                          {draft("log.cut", job_id, {{"number", number}, {"text", std::string(padding, 'x')}})}));
        place.expand(*journal, journal->last(), job_id, job_id + "/" + std::to_string(number));
        if (number % 3 == 0)
          REQUIRE(
              test::await(place.loop, journal->mark_delivered("dci", job_id + "/" + std::to_string(number), "ref")));
      }
      if (job_id != "job-3") keep(place.append(*journal, {draft(job::event::job_ended, job_id)}));
    }
    files = Files::of(place.directory.path);
    journal.reset();
    closed = Files::of(place.directory.path);
  }

  void keep(const std::vector<job::Event>& events) {
    for (const auto& event : events) acknowledged[event.seq] = job::to_json(event);
  }

  std::map<job::Seq, json::object> acknowledged;
  Files files;   ///< Most of it in the log.
  Files closed;  ///< All of it in the file.
};

bool named_missing(const std::vector<job::Event>& restored, job::Seq seq) {
  for (const auto& event : restored)
    for (const auto& range : event.data.at("missing").as_array())
      if (seq >= range.at(0).to_number<job::Seq>() && seq <= range.at(1).to_number<job::Seq>()) return true;
  return false;
}

/// Opens what lies there and compares it with what had been acknowledged.
struct Verdict {
  std::size_t events = 0, lost = 0;
  bool trouble = false;
};

Verdict look(Place& place, const Recorded& recorded) {
  Verdict verdict;
  auto journal = place.open();
  verdict.trouble = !journal->quarantined().empty();
  const auto events = journal->read({.limit = 100'000});
  REQUIRE(events);
  std::map<job::Seq, json::object> there;
  for (const auto& event : *events) there[event.seq] = job::to_json(event);
  const auto restored = journal->read({.types = {std::string{job::event::journal_restored}}}).value();
  REQUIRE(restored.size() == (verdict.trouble ? 1U : 0U));
  for (const auto& [seq, event] : recorded.acknowledged) {
    const auto found = there.find(seq);
    const bool kept = found != there.end() && found->second == event;
    if (kept)
      ++verdict.events;
    else
      ++verdict.lost;
    if (!kept) REQUIRE(named_missing(restored, seq));
  }
  // Nothing is run a second time because its story has a hole.
  for (const auto& row : journal->jobs(true, 100).value()) {
    const auto story = journal->read({.job_id = row.job_id, .limit = 1000}).value();
    REQUIRE(story.front().type == job::event::job_queued);
    std::size_t expected = 0;
    for (const auto& [seq, event] : recorded.acknowledged) expected += job::text_at(event, "job_id") == row.job_id;
    const bool told = std::any_of(story.begin(), story.end(),
                                  [](const auto& event) { return event.type == job::event::job_history_lost; });
    if (story.size() < expected) REQUIRE(told);
  }
  const auto next = place.append(*journal, {draft("next")});
  REQUIRE(next.front().seq > recorded.acknowledged.rbegin()->first);
  journal.reset();
  journal = place.open();
  REQUIRE(journal->quarantined().empty());
  return verdict;
}

}  // namespace

TEST_CASE("A journal that is cut or changed at any of 1000 points opens, and names what it lost", "[journal]") {
  const Recorded small{100}, large{3000};
  Place place;
  std::mt19937 random{20261126};
  std::size_t rescued = 0, lossless = 0;
  for (int round = 0; round < 1000; ++round) {
    const Recorded& recorded = round % 2 == 0 ? small : large;
    Files files = round % 3 == 0 ? recorded.closed : recorded.files;
    std::string& victim = files.bytes.at(round % 3 != 0 && round % 5 != 0 ? "journal.db-wal" : "journal.db");
    const std::size_t at = victim.empty() ? 0 : random() % victim.size();
    if (round % 4 == 0)
      victim.resize(at);
    else if (!victim.empty())
      for (unsigned count = round % 4 == 1 ? 1 : 300, index = 0; index < count && at + index < victim.size(); ++index)
        victim[at + index] = static_cast<char>(victim[at + index] ^ (1 << random() % 8));
    INFO("round " << round << " at " << at);
    files.put(place.directory.path);
    const Verdict verdict = look(place, recorded);
    rescued += verdict.trouble && verdict.events > 0;
    lossless += verdict.lost == 0;
  }
  CHECK(rescued > 100);
  CHECK(lossless > 100);
  WARN("rescued " << rescued << ", without loss " << lossless << " of 1000");
}

TEST_CASE("After a loss reporters look for what they may have sent, and lost rows are made again", "[journal]") {
  const Recorded recorded{100};
  Place place;
  Files files = recorded.files;
  SECTION("an older copy was put back") {
    files = recorded.closed;
    files.bytes.at("journal.db.lock") = "closed, last 1000\n";
    files.put(place.directory.path);
    auto journal = place.open();
    CHECK(journal->quarantined().find("older copy") != std::string::npos);
    CHECK(journal->cursor("dci").value() == recorded.acknowledged.rbegin()->first - 2);
    for (const auto& row : journal->open("dci").value()) CHECK(row.state == journal::DeliveryState::attempting);
    place.expand(*journal, 1001, "job-3", "verdict");
    CHECK(journal->get("dci", "verdict").value()->state == journal::DeliveryState::attempting);
    CHECK(journal->doubtful_up_to("dci").value() > 1001);
  }
  SECTION("rows of deliveries are damaged") {
    files = recorded.closed;
    std::string& bytes = files.bytes.at("journal.db");
    // A page of the table: the text is only there.
    const auto at = bytes.rfind(std::string(200, 'i')) / 4096 * 4096;
    bytes.replace(at, 8, 8, '\xa5');
    files.put(place.directory.path);
    auto journal = place.open();
    CHECK(journal->quarantined().find("some delivery rows are lost") != std::string::npos);
    CHECK(journal->quarantined().find("no event is lost") != std::string::npos);
    CHECK(journal->cursor("dci").value() == 1);  // Where it was registered.
    CHECK(journal->read({.types = {std::string{job::event::job_history_lost}}}).value().empty());
  }
}
