#include "agent/daemon/log_room.hpp"

#include "agent/job/event_types.hpp"
#include "fakes/fake_journal.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <sys/stat.h>

using namespace outpost;
using namespace outpost::test;
namespace event = job::event;

namespace {

constexpr std::uint64_t mebibyte = 1 << 20;

/// A job whose one step has printed a mebibyte so far, in two pieces.
struct World {
  explicit World(boost::json::array reporters) {
    note(event::job_queued, {{"reporters", std::move(reporters)}});
    note(event::step_started, {{"stage", "install"}, {"plugin", "acme"}, {"hook", "install"}});
    write_file(log, std::string(mebibyte, 'x'));
  }

  job::Seq note(std::string_view type, boost::json::object data, std::vector<job::Blob> blobs = {}) {
    job::Event draft;
    draft.type = type;
    draft.job_id = "job-1";
    draft.step_id = "install.acme";
    draft.data = std::move(data);
    draft.blobs = std::move(blobs);
    std::vector<job::Event> drafts{draft};
    return await(loop, journal.append(std::move(drafts)))->front().seq;
  }

  /// A piece of the log, and the item that a reporter made of it.
  void cut(std::uint64_t offset, std::uint64_t size) {
    piece = {.path = "logs/install.acme.log", .size = size, .mime = "text/plain", .range = job::Blob::Range{offset}};
    seq = note(event::log_cut, {{"stage", "install"}}, {piece});
  }
  void deliver(const std::string& reporter, bool delivered = true) {
    journal::Item item{.key = "piece/" + std::to_string(piece.range->offset), .job_id = "job-1", .kind = "log", .blob = piece};
    const std::string key = item.key;
    std::vector<journal::Item> items{std::move(item)};
    REQUIRE(await(loop, journal.expand(reporter, seq, std::move(items))));
    if (delivered) REQUIRE(await(loop, journal.mark_delivered(reporter, key, "remote")));
  }

  std::uint64_t make(std::uint64_t bytes) { return await(loop, room.make(bytes)); }
  [[nodiscard]] std::uint64_t on_disk() const {
    struct stat status{};
    REQUIRE(::stat(log.c_str(), &status) == 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  [[nodiscard]] std::size_t told() { return journal.read({.types = {std::string{event::log_freed}}})->size(); }

  boost::asio::io_context loop;
  TemporaryDirectory jobs;
  std::filesystem::path log = jobs.path / "job-1/logs/install.acme.log";
  FakeJournal journal;
  Workers workers;
  daemon::Logger logger;
  daemon::LogRoom room{{journal, journal, workers, logger}, jobs.path};
  job::Blob piece;
  job::Seq seq = 0;
};

}  // namespace

TEST_CASE("what the server has of a running step's log is given back to the disk, and told before") {
  World world{{"dci"}};
  world.cut(0, mebibyte / 2);
  world.deliver("dci");
  world.cut(mebibyte / 2, mebibyte / 2);
  world.deliver("dci", false);

  const auto freed = world.make(mebibyte);
  CHECK(freed >= mebibyte / 4);
  CHECK(world.on_disk() <= mebibyte - freed);
  CHECK(world.told() == 1);
  CHECK(read_file(world.log).substr(mebibyte / 2) == std::string(mebibyte / 2, 'x'));
  CHECK(world.make(mebibyte) == 0);  // There is no more, and nothing is told twice.
  CHECK(world.told() == 1);
}

TEST_CASE("nothing is given back that one of several servers does not have") {
  World world{{"dci", "second"}};
  world.cut(0, mebibyte);
  world.deliver("dci");
  world.deliver("second", false);
  CHECK(world.make(mebibyte) == 0);
  CHECK(world.on_disk() >= mebibyte);
}

TEST_CASE("a piece behind one that is still missing at the server is not given back") {
  World world{{"dci"}};
  world.cut(0, mebibyte / 2);
  world.deliver("dci", false);
  world.cut(mebibyte / 2, mebibyte / 2);
  world.deliver("dci");
  CHECK(world.make(mebibyte) == 0);
}

TEST_CASE("who asks for room while it is being made gets what that frees") {
  World world{{"dci"}};
  world.cut(0, mebibyte / 2);
  world.deliver("dci");
  std::vector<std::uint64_t> freed;
  const auto both = [&]() -> boost::asio::awaitable<int> {
    using namespace boost::asio::experimental::awaitable_operators;
    const auto [first, second] = co_await (world.room.make(mebibyte) && world.room.make(mebibyte));
    freed = {first, second};
    co_return 0;
  };
  await(world.loop, both());
  REQUIRE(freed.size() == 2);
  CHECK(freed[0] > 0);
  CHECK(freed[1] == freed[0]);
  CHECK(world.told() == 1);
  CHECK(world.make(mebibyte) == 0);
}

TEST_CASE("nothing is given back that could not be told") {
  World world{{"dci"}};
  world.cut(0, mebibyte);
  world.deliver("dci");
  world.journal.fail_append = 1;
  CHECK(world.make(mebibyte) == 0);
  CHECK(world.on_disk() >= mebibyte);
}
