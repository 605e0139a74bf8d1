// What every journal promises: the same cases run on the adapter and on the fake that other tests use.

#include "agent/job/event_types.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "fakes/fake_journal.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/detached.hpp>

namespace {

namespace asio = boost::asio;
using namespace outpost;
using journal::DeliveryState;

struct Fake {
  asio::io_context loop;
  test::FakeJournal it;
};

struct Sqlite {
  asio::io_context loop;
  test::TemporaryDirectory directory;
  SystemClock clock;
  std::unique_ptr<journal::SqliteJournal> owned =
      journal::SqliteJournal::open(directory.path / "journal.db", {"host", "boot", "1"}, clock, loop.get_executor())
          .value();
  journal::SqliteJournal& it = *owned;
};

job::Event draft(std::string_view type, std::string job_id = {}) {
  job::Event event;
  event.type = type;
  event.job_id = std::move(job_id);
  return event;
}

journal::Item item(std::string key, std::string job_id = "job-1") {
  journal::Item made;
  made.key = std::move(key);
  made.job_id = std::move(job_id);
  made.kind = "state";
  made.body = {{"status", "new"}};
  return made;
}

template <class Subject>
std::vector<job::Event> append(Subject& subject, std::vector<job::Event> drafts) {
  return test::await(subject.loop, subject.it.append(std::move(drafts))).value();
}

template <class Subject>
void expand(Subject& subject, job::Seq seq, std::vector<journal::Item> items) {
  REQUIRE(test::await(subject.loop, subject.it.expand("dci", seq, std::move(items))));
}

std::vector<std::string> keys(const Result<std::vector<journal::Delivery>>& rows) {
  std::vector<std::string> found;
  for (const auto& row : rows.value()) found.push_back(row.item.key);
  return found;
}

using Keys = std::vector<std::string>;

}  // namespace

TEMPLATE_TEST_CASE("An append numbers its events without gaps and fills in who and when", "[journal]", Fake, Sqlite) {
  TestType subject;
  const auto first = append(subject, {draft("agent.started"), draft(job::event::job_queued, "job-1")});
  const auto second = append(subject, {draft(job::event::job_ended, "job-1")});
  REQUIRE(first.size() == 2);
  CHECK(first[0].seq == 1);
  CHECK(first[1].seq == 2);
  CHECK(second[0].seq == 3);
  CHECK(subject.it.last() == 3);
  CHECK(first[0].journal_id == subject.it.journal_id());
  CHECK(is_uuid(first[0].event_id));
  CHECK(first[0].event_id < first[1].event_id);
  CHECK_FALSE(first[0].host_id.empty());
  CHECK_FALSE(first[0].boot_id.empty());
  CHECK_FALSE(first[0].agent_version.empty());
  CHECK(first[0].monotonic_ns > 0);
  CHECK(first[0].occurred_at > Timestamp{});
}

TEMPLATE_TEST_CASE("What is read is what was appended, with fields of a newer agent", "[journal]", Fake, Sqlite) {
  TestType subject;
  job::Event event = draft("log.cut", "job-1");
  event.step_id = "step-1";
  event.attempt = 2;
  event.actor = "plugin@abc";
  event.claim = job::Claim{"dci", "remote-1", "7"};
  event.subject = job::Subject{"pkg:rpm/a", "sha256:1"};
  event.links = {{"parent", "x"}};
  job::Blob blob{"logs/a", "00ff", 10, "text/plain", "", job::Blob::Range{5}};
  event.blobs = {blob};
  event.data = {{"text", "tab\t \xff not UTF-8"}, {"last", true}};
  event.unknown = {{"colour", "blue"}};
  const auto appended = append(subject, {event}).front();
  const auto events = subject.it.read({}).value();
  REQUIRE(events.size() == 1);
  CHECK(job::to_json(events[0]) == job::to_json(appended));
  CHECK(events[0].unknown.at("colour") == "blue");
  CHECK(events[0].blobs.at(0).range->offset == 5);
}

TEMPLATE_TEST_CASE("Events are selected by job, type, position and number", "[journal]", Fake, Sqlite) {
  TestType subject;
  append(subject, {draft("a", "job-1"), draft("b", "job-2"), draft("a"), draft("c", "job-1"), draft("a", "job-1")});
  const auto seqs = [&](const journal::Query& query) {
    std::vector<job::Seq> found;
    for (const auto& event : subject.it.read(query).value()) found.push_back(event.seq);
    return found;
  };
  using Seqs = std::vector<job::Seq>;
  CHECK(seqs({}) == Seqs{1, 2, 3, 4, 5});
  CHECK(seqs({.after = 3}) == Seqs{4, 5});
  CHECK(seqs({.job_id = "job-1"}) == Seqs{1, 4, 5});
  CHECK(seqs({.types = {"a"}}) == Seqs{1, 3, 5});
  CHECK(seqs({.types = {"c", "b"}}) == Seqs{2, 4});
  CHECK(seqs({.after = 1, .job_id = "job-1", .types = {"a", "c"}, .limit = 1}) == Seqs{4});
  CHECK(seqs({.job_id = "nobody"}).empty());
  CHECK(seqs({.limit = 0}).empty());
}

TEMPLATE_TEST_CASE("Jobs are listed newest first, and open ones alone", "[journal]", Fake, Sqlite) {
  TestType subject;
  append(subject, {draft(job::event::job_queued, "job-1"), draft(job::event::job_queued, "job-2")});
  append(subject, {draft(job::event::job_queued, "job-3"), draft(job::event::job_withdrawn, "job-2")});
  append(subject, {draft(job::event::job_ended, "job-1"), draft(job::event::job_warning, "job-1")});
  const auto all = subject.it.jobs(false, 10).value();
  REQUIRE(all.size() == 3);
  CHECK(all[0].job_id == "job-3");
  CHECK_FALSE(all[0].ended);
  CHECK(all[1].job_id == "job-2");
  CHECK(all[1].ended);
  CHECK(all[2].job_id == "job-1");
  CHECK(all[2].first == 1);
  CHECK(all[2].last == 6);
  CHECK(all[2].ended);
  CHECK(subject.it.jobs(false, 1).value().size() == 1);
  REQUIRE(subject.it.jobs(true, 10).value().size() == 1);
  CHECK(subject.it.jobs(true, 10).value()[0].job_id == "job-3");
}

TEMPLATE_TEST_CASE("Appends made at the same time keep their order", "[journal]", Fake, Sqlite) {
  TestType subject;
  std::vector<job::Seq> seqs;
  const auto one = [&](int number) -> asio::awaitable<void> {
    std::vector<job::Event> drafts{draft("number-" + std::to_string(number))};
    const auto events = co_await subject.it.append(std::move(drafts));
    seqs.push_back(events.value().front().seq);
  };
  for (int number = 1; number <= 50; ++number) asio::co_spawn(subject.loop, one(number), asio::detached);
  subject.loop.run();
  REQUIRE(seqs.size() == 50);
  CHECK(std::is_sorted(seqs.begin(), seqs.end()));
  const auto events = subject.it.read({}).value();
  for (std::size_t index = 0; index < events.size(); ++index)
    CHECK(events[index].type == "number-" + std::to_string(index + 1));
}

TEMPLATE_TEST_CASE("A listener hears every event once it can be read, until its token dies", "[journal]", Fake,
                   Sqlite) {
  TestType subject;
  std::vector<job::Seq> heard;
  bool readable = true;
  auto token = subject.it.subscribe([&](const job::Event& event) {
    heard.push_back(event.seq);
    readable = readable && !subject.it.read({.after = event.seq - 1, .limit = 1}).value().empty();
  });
  append(subject, {draft("a"), draft("b")});
  append(subject, {draft("c")});
  CHECK(heard == std::vector<job::Seq>{1, 2, 3});
  CHECK(readable);
  token.reset();
  append(subject, {draft("d")});
  CHECK(heard.size() == 3);
}

TEMPLATE_TEST_CASE("An append whose caller was cancelled is written all the same", "[journal]", Fake, Sqlite) {
  TestType subject;
  asio::cancellation_signal stop;
  bool ended = false;
  const auto work = [&]() -> asio::awaitable<void> {
    std::vector<job::Event> drafts{draft("claim.requested")};
    co_await subject.it.append(std::move(drafts));
  };
  asio::co_spawn(subject.loop, work(),
                 asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr) { ended = true; }));
  subject.loop.poll_one();  // It has begun.
  stop.emit(asio::cancellation_type::terminal);
  subject.loop.restart();
  subject.loop.run();
  CHECK(ended);
  append(subject, {draft("next")});
  const auto events = subject.it.read({}).value();
  REQUIRE(events.size() == 2);
  CHECK(events[0].type == "claim.requested");
  CHECK(events[1].seq == 2);
}

TEMPLATE_TEST_CASE("A reporter has a cursor only after its first expansion, and it never goes back", "[journal]", Fake,
                   Sqlite) {
  TestType subject;
  CHECK_FALSE(subject.it.cursor("dci").value());
  expand(subject, 7, {});
  CHECK(subject.it.cursor("dci").value() == 7);
  expand(subject, 3, {});
  CHECK(subject.it.cursor("dci").value() == 7);
  CHECK_FALSE(subject.it.cursor("dlrn").value());
}

TEMPLATE_TEST_CASE("Items keep all they were made with, and known keys stay as they are", "[journal]", Fake, Sqlite) {
  TestType subject;
  auto full = item("file-1", "job-9");
  full.kind = "file";
  full.needs = {"state-1", "state-2"};
  full.follows = {"file-0"};
  full.body = {{"name", "a \"b\".log"}, {"deep", {{"x", 1}}}};
  full.blob = job::Blob{"logs/a", "00ff", 10, "text/plain", "zstd", job::Blob::Range{0}};
  expand(subject, 4, {full});
  auto changed = item("file-1");
  changed.body = {{"status", "changed"}};
  expand(subject, 5, {changed, item("file-2")});

  const auto row = subject.it.get("dci", "file-1").value().value();
  CHECK(row.reporter == "dci");
  CHECK(row.seq == 4);
  CHECK(row.state == DeliveryState::pending);
  CHECK(row.attempts == 0);
  CHECK(row.item.job_id == "job-9");
  CHECK(row.item.kind == "file");
  CHECK(row.item.needs == full.needs);
  CHECK(row.item.follows == full.follows);
  CHECK(row.item.body == full.body);
  REQUIRE(row.item.blob);
  CHECK(row.item.blob->path == "logs/a");
  CHECK(row.item.blob->sha256 == "00ff");
  CHECK(row.item.blob->size == 10);
  CHECK(row.item.blob->mime == "text/plain");
  CHECK(row.item.blob->codec == "zstd");
  REQUIRE(row.item.blob->range);
  CHECK(row.item.blob->range->offset == 0);
  CHECK_FALSE(subject.it.get("dci", "file-2").value()->item.blob);
  CHECK_FALSE(subject.it.get("dci", "file-3").value());
  CHECK_FALSE(subject.it.get("dlrn", "file-1").value());
}

TEMPLATE_TEST_CASE("Several events are expanded at once, each item knows its own", "[journal]", Fake, Sqlite) {
  TestType subject;
  std::vector<journal::Expansion> expansions{{2, {item("a"), item("b")}}, {5, {item("c")}}};
  REQUIRE(test::await(subject.loop, subject.it.expand_all("dci", 6, expansions)));
  CHECK(subject.it.cursor("dci").value() == 6);
  CHECK(subject.it.get("dci", "b").value()->seq == 2);
  CHECK(subject.it.get("dci", "c").value()->seq == 5);
  CHECK(keys(subject.it.open("dci")) == Keys{"a", "b", "c"});
}

TEMPLATE_TEST_CASE("An item goes from pending through attempts to delivered", "[journal]", Fake, Sqlite) {
  TestType subject;
  auto upload = item("a");
  upload.blob = job::Blob{"logs/a", "00", 100, "", "", {}};
  expand(subject, 1, {upload, item("b")});
  CHECK(subject.it.backlog("dci").value().waiting == 2);
  CHECK(subject.it.backlog("dci").value().waiting_bytes == 100);

  REQUIRE(test::await(subject.loop, subject.it.mark_attempting("dci", "a")));
  REQUIRE(test::await(subject.loop, subject.it.mark_attempting("dci", "a")));
  auto row = subject.it.get("dci", "a").value().value();
  CHECK(row.state == DeliveryState::attempting);
  CHECK(row.attempts == 2);
  CHECK(keys(subject.it.open("dci")) == Keys{"a", "b"});

  REQUIRE(test::await(subject.loop, subject.it.mark_pending("dci", "a", "credentials refused")));
  row = subject.it.get("dci", "a").value().value();
  CHECK(row.state == DeliveryState::pending);
  CHECK(row.reason == "credentials refused");

  REQUIRE(test::await(subject.loop, subject.it.mark_delivered("dci", "a", "remote-1")));
  row = subject.it.get("dci", "a").value().value();
  CHECK(row.state == DeliveryState::delivered);
  CHECK(row.remote_ref == "remote-1");
  CHECK(row.reason.empty());
  CHECK(keys(subject.it.open("dci")) == Keys{"b"});
  CHECK(subject.it.of_job("dci", "job-1").value().at(0).state == DeliveryState::delivered);
  const auto backlog = subject.it.backlog("dci").value();
  CHECK(backlog.waiting == 1);
  CHECK(backlog.waiting_bytes == 0);
  CHECK(backlog.delivered == 1);
}

TEMPLATE_TEST_CASE("A delivered item stays delivered", "[journal]", Fake, Sqlite) {
  TestType subject;
  expand(subject, 1, {item("a")});
  REQUIRE(test::await(subject.loop, subject.it.mark_delivered("dci", "a", "remote-1")));
  REQUIRE(test::await(subject.loop, subject.it.mark_pending("dci", "a", "late")));
  REQUIRE(test::await(subject.loop, subject.it.mark_attempting("dci", "a")));
  REQUIRE(test::await(subject.loop, subject.it.mark_parked("dci", "a", "late")));
  REQUIRE(test::await(subject.loop, subject.it.mark_delivered("dci", "a", "remote-1")));
  CHECK(subject.it.get("dci", "a").value()->state == DeliveryState::delivered);
  CHECK(subject.it.get("dci", "a").value()->remote_ref == "remote-1");
  CHECK(subject.it.backlog("dci").value().delivered == 1);
}

TEMPLATE_TEST_CASE("Parked items are listed with their reason and can be freed", "[journal]", Fake, Sqlite) {
  TestType subject;
  expand(subject, 1, {item("a"), item("b")});
  REQUIRE(test::await(subject.loop, subject.it.mark_parked("dci", "a", "file too large: 5 GiB, the limit is 1 GiB")));
  const auto parked = subject.it.parked("dci").value();
  REQUIRE(parked.size() == 1);
  CHECK(parked[0].reason == "file too large: 5 GiB, the limit is 1 GiB");
  CHECK(keys(subject.it.open("dci")) == Keys{"b"});
  CHECK(subject.it.backlog("dci").value().parked == 1);
  CHECK(subject.it.backlog("dci").value().waiting == 1);
  REQUIRE(test::await(subject.loop, subject.it.mark_pending("dci", "a", "")));
  CHECK(subject.it.parked("dci").value().empty());
  CHECK(keys(subject.it.open("dci")) == Keys{"a", "b"});
}

TEMPLATE_TEST_CASE("Marking an item that nobody made is a bug", "[journal]", Fake, Sqlite) {
  TestType subject;
  expand(subject, 1, {});
  const auto marked = test::await(subject.loop, subject.it.mark_attempting("dci", "ghost"));
  REQUIRE_FALSE(marked);
  CHECK(marked.error().fault == Fault::bug);
  CHECK(marked.error().message.find("ghost") != std::string::npos);
  CHECK(test::await(subject.loop, subject.it.mark_delivered("dci", "ghost", "")));
}

TEMPLATE_TEST_CASE("Open items come in pages, oldest first, each reporter's own", "[journal]", Fake, Sqlite) {
  TestType subject;
  expand(subject, 1, {item("e"), item("d"), item("c", "job-2"), item("b"), item("a")});
  std::vector<journal::Item> others{item("e")};
  REQUIRE(test::await(subject.loop, subject.it.expand("dlrn", 1, others)));
  REQUIRE(test::await(subject.loop, subject.it.mark_delivered("dci", "d", "")));
  const auto first = subject.it.open("dci", {.limit = 2}).value();
  CHECK(keys(first) == Keys{"e", "c"});
  CHECK(keys(subject.it.open("dci", {.after = first.back().position, .limit = 10})) == Keys{"b", "a"});
  CHECK(keys(subject.it.of_job("dci", "job-1")) == Keys{"e", "d", "b", "a"});
  CHECK(keys(subject.it.open("dlrn")) == Keys{"e"});
}

TEMPLATE_TEST_CASE("What is removed takes events and rows along, and no number is given twice", "[journal]", Fake,
                   Sqlite) {
  TestType subject;
  append(subject, {draft("agent.started"), draft("component.seen"), draft(job::event::job_queued, "job-1"),
                   draft(job::event::job_queued, "job-2"), draft(job::event::job_ended, "job-1")});
  expand(subject, 5, {item("a", "job-1"), item("b", "job-2")});
  REQUIRE(test::await(subject.loop, subject.it.mark_delivered("dci", "a", "ref")));
  std::vector<job::Seq> heard;
  const auto token = subject.it.subscribe([&](const job::Event& event) { heard.push_back(event.seq); });
  const journal::Removal removal{{"job-1", "job-2", "ghost"}, {"agent.started", "history.removed"}, Timestamp::max()};
  const auto tombstone = test::await(subject.loop, subject.it.remove(removal, draft("history.removed"))).value();
  CHECK(tombstone.seq == 6);
  CHECK(heard == std::vector<job::Seq>{6});
  std::vector<std::string> types;
  for (const auto& event : subject.it.read({}).value()) types.push_back(event.type);
  CHECK(types == Keys{"component.seen", "job.queued", "history.removed"});  // job-2 is open.
  CHECK(subject.it.jobs(false, 10).value().size() == 1);
  CHECK_FALSE(subject.it.get("dci", "a").value());
  CHECK(subject.it.get("dci", "b").value());
  CHECK(subject.it.of_job("dci", "job-1").value().empty());
  CHECK(subject.it.backlog("dci").value().delivered == 1);
  CHECK(append(subject, {draft("next")}).front().seq == 7);
}

TEMPLATE_TEST_CASE("A reporter that is forgotten drops what waits, and begins anew when it is registered again",
                   "[journal]", Fake, Sqlite) {
  TestType subject;
  expand(subject, 7, {item("a"), item("b")});
  std::vector<journal::Item> others{item("a")};
  REQUIRE(test::await(subject.loop, subject.it.expand("dlrn", 3, others)));
  REQUIRE(subject.it.reporters().value().size() == 2);
  CHECK(subject.it.reporters().value()[0].name == "dci");
  CHECK(subject.it.reporters().value()[0].cursor == 7);
  CHECK_FALSE(subject.it.is_forgotten("dci").value());
  CHECK_FALSE(subject.it.is_forgotten("ghost").value());

  REQUIRE(test::await(subject.loop, subject.it.forget_reporter("dci", draft("reporter.forgotten"))));
  CHECK(subject.it.is_forgotten("dci").value());
  CHECK_FALSE(subject.it.cursor("dci").value());
  CHECK(subject.it.open("dci").value().empty());
  CHECK_FALSE(subject.it.get("dci", "a").value());
  CHECK(keys(subject.it.open("dlrn")) == Keys{"a"});
  CHECK(subject.it.reporters().value().size() == 1);
  CHECK(subject.it.read({}).value().back().type == "reporter.forgotten");

  expand(subject, 2, {item("c")});
  CHECK_FALSE(subject.it.is_forgotten("dci").value());
  CHECK(subject.it.cursor("dci").value() == 2);
  CHECK(keys(subject.it.open("dci")) == Keys{"c"});
}

TEMPLATE_TEST_CASE("Items that were not tried yet can give up their bytes, and send a marker instead", "[journal]",
                   Fake, Sqlite) {
  TestType subject;
  auto untried = item("a"), tried = item("b"), plain = item("c");
  untried.blob = job::Blob{"logs/a", "00", 100, "", "", {}};
  tried.blob = job::Blob{"logs/b", "00", 50, "", "", {}};
  expand(subject, 1, {untried, tried, plain});
  REQUIRE(test::await(subject.loop, subject.it.mark_attempting("dci", "b")));
  const std::vector<std::string> all{"a", "b", "c", "ghost"};
  REQUIRE(test::await(subject.loop, subject.it.drop_bytes("dci", all, "spool-full", draft("spool.dropped"))));
  const auto row = subject.it.get("dci", "a").value().value();
  CHECK_FALSE(row.item.blob);
  CHECK(row.state == DeliveryState::pending);
  CHECK(row.item.body.at("content") == "[gap: 100 bytes, spool-full]\n");
  CHECK(row.item.body.at("status") == "new");  // The rest stays.
  CHECK(subject.it.get("dci", "b").value()->item.blob->size == 50);
  CHECK_FALSE(subject.it.get("dci", "c").value()->item.body.contains("content"));
  CHECK(subject.it.backlog("dci").value().waiting_bytes == 50);
  CHECK(subject.it.read({}).value().back().type == "spool.dropped");
}
