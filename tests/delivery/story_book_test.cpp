#include "agent/delivery/story_book.hpp"

#include "site.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::test;

namespace {

struct Shelf {
  /// The event as the journal has it; its story before it goes the dispatcher's way.
  const job::Story* hear(job::Event draft) {
    std::vector<job::Event> drafts{std::move(draft)};
    const auto kept = await(loop, journal.append(std::move(drafts)));
    REQUIRE(kept);
    const auto before = await(loop, book.before(kept->front()));
    REQUIRE(before);
    book.apply(kept->front());
    return *before;
  }

  boost::asio::io_context loop;
  FakeJournal journal;
  delivery::StoryBook book{journal, "fake"};
};

}  // namespace

TEST_CASE("Of a job that has ended no story is kept, however often it is heard of", "[delivery]") {
  Shelf shelf;
  for (int number = 1; number <= 5; ++number) {
    const auto job = "job-" + std::to_string(number);
    REQUIRE(shelf.hear(queued(job)));
    CHECK(shelf.book.size() == 1);
    REQUIRE(shelf.hear(event(job::event::job_ended, job)));
  }
  CHECK(shelf.book.size() == 0);
  for (int number = 1; number <= 5; ++number) {
    const auto job = "job-" + std::to_string(number);
    for (int again = 0; again < 2; ++again) {
      const auto* story = shelf.hear(event(job::event::log_freed, job));
      REQUIRE(story);
      CHECK(story->ended);
    }
    CHECK(shelf.book.size() == 1);
  }
}

TEST_CASE("Of jobs of others only those are kept that are open", "[delivery]") {
  Shelf shelf;
  for (int number = 1; number <= 5; ++number) {
    const auto job = "job-" + std::to_string(number);
    CHECK(shelf.hear(queued(job, {}, "another")) == nullptr);
    CHECK(shelf.book.size() == 1);
    CHECK(shelf.hear(event(job::event::job_ended, job)) == nullptr);
  }
  CHECK(shelf.book.size() == 0);
  for (int number = 1; number <= 5; ++number) CHECK(shelf.hear(event(job::event::log_freed, "job-" + std::to_string(number))) == nullptr);
  CHECK(shelf.book.size() == 1);
  shelf.hear(queued("open", {}, "another"));
  shelf.book.clear();  // As after a restart.
  CHECK(shelf.hear(event(job::event::cancel_requested, "open")) == nullptr);
  CHECK(shelf.hear(event(job::event::job_ended, "open")) == nullptr);
  CHECK(shelf.book.size() == 0);
}

TEST_CASE("What happens in an open job stays in its story, whatever old jobs are heard of between", "[delivery]") {
  Shelf shelf;
  shelf.hear(queued("old"));
  shelf.hear(event(job::event::job_withdrawn, "old"));
  shelf.hear(queued("open"));
  shelf.hear(event(job::event::log_freed, "old"));
  const auto* story = shelf.hear(event(job::event::cancel_requested, "open"));
  REQUIRE(story);
  CHECK(story->cancel_requested);
  CHECK(shelf.hear(queued("other", {}, "another")) == nullptr);
  CHECK(shelf.book.size() == 3);
}
