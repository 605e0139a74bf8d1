#include "agent/daemon/disk_keeper.hpp"

#include "fakes/fake_journal.hpp"
#include "files/small_disk.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"

#include <sys/mount.h>
#include <sys/stat.h>

using namespace outpost;
using namespace outpost::test;

namespace {

constexpr std::uint64_t MiB = 1 << 20;

struct World {
  explicit World(config::Disk settings) : keeper{workers, logger, alarms, disk.directory.path, settings} {
    if (!disk.usable) WARN("SKIPPED: mounting a small file system needs root and CAP_SYS_ADMIN");
  }
  void look() {
    const auto looked = [](daemon::DiskKeeper& it) -> boost::asio::awaitable<bool> {
      co_await it.look();
      co_return true;
    };
    await(loop, looked(keeper));
  }
  [[nodiscard]] std::filesystem::path path(const char* name) const { return disk.directory.path / name; }
  [[nodiscard]] bool alarmed(const char* key) const { return alarms.active().contains(key); }
  [[nodiscard]] std::string message(const char* key) const { return alarms.active().at(key).message; }
  /// Everything but `left` bytes.
  void fill(std::uint64_t left) {
    const auto free = keeper.free();
    write_file(path("ballast"), std::string(free - left, 'x'));
  }

  boost::asio::io_context loop;
  SmallDisk disk{16 * MiB};
  FakeJournal journal;
  Workers workers;
  SystemClock clock;
  daemon::Logger logger;
  daemon::Alarms alarms{journal, clock, logger, loop.get_executor(), daemon::Alarms::Ways{}};
  daemon::DiskKeeper keeper;
};

}  // namespace

TEST_CASE("below its threshold of free space nothing is claimed, until there is room again") {
  World world{{.keep_free = 4 * MiB, .reserve = 0}};
  if (!world.disk.usable) return;
  CHECK(world.keeper.may_claim());
  CHECK(world.keeper.missing() == 0);
  world.fill(2 * MiB);
  CHECK_FALSE(world.keeper.may_claim());
  CHECK(world.keeper.missing() == 2 * MiB);
  CHECK(world.message("disk").find("2.0 MiB free; no job is claimed below 4.0 MiB") != std::string::npos);
  std::filesystem::remove(world.path("ballast"));
  CHECK(world.keeper.may_claim());
  CHECK_FALSE(world.alarmed("disk"));
}

TEST_CASE("the reserve has real blocks, is given up on a full disk, and comes back when there is room") {
  World world{{.keep_free = 2 * MiB, .reserve = 4 * MiB}};
  if (!world.disk.usable) return;
  world.look();
  struct stat status{};
  REQUIRE(::stat(world.path("reserve").c_str(), &status) == 0);
  CHECK(static_cast<std::uint64_t>(status.st_blocks) * 512 >= 4 * MiB);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(world.keeper.reserve_there());

  world.keeper.write_failed();  // For another reason: there is room.
  CHECK(std::filesystem::exists(world.path("reserve")));
  world.fill(0);
  world.keeper.write_failed();
  CHECK_FALSE(std::filesystem::exists(world.path("reserve")));
  write_file(world.path("verdict"), std::string(3 * MiB, 'v'));  // What it is for.
  CHECK(std::filesystem::file_size(world.path("verdict")) == 3 * MiB);

  world.look();  // There is not enough room for it yet.
  CHECK_FALSE(std::filesystem::exists(world.path("reserve")));
  CHECK(world.alarmed("disk"));
  std::filesystem::remove(world.path("ballast"));
  world.look();
  CHECK(std::filesystem::exists(world.path("reserve")));
  CHECK_FALSE(world.alarmed("disk"));
}

TEST_CASE("logs leave the last of the disk, and the room of a reserve that was given up, to the journal") {
  World world{{.keep_free = 0, .reserve = 1 * MiB}};  // Logs leave at most an eighth: 2 MiB.
  if (!world.disk.usable) return;
  world.look();
  CHECK(world.keeper.has_room_for_logs());
  world.fill(2 * MiB + MiB / 2);
  CHECK(world.keeper.has_room_for_logs());
  write_file(world.path("more"), std::string(MiB, 'x'));
  CHECK_FALSE(world.keeper.has_room_for_logs());
  std::filesystem::remove(world.path("more"));
  CHECK_FALSE(world.keeper.has_room_for_logs());  // Not for a few lines.
  std::filesystem::remove(world.path("ballast"));
  CHECK(world.keeper.has_room_for_logs());
}

TEST_CASE("a reserve that is no longer wanted, or of another size, is corrected") {
  World world{{.keep_free = 0, .reserve = 4 * MiB}};
  if (!world.disk.usable) return;
  world.look();
  daemon::DiskKeeper larger{world.workers, world.logger, world.alarms, world.disk.directory.path, {.keep_free = 0, .reserve = 5 * MiB}};
  const auto look = [](daemon::DiskKeeper& it) -> boost::asio::awaitable<bool> {
    co_await it.look();
    co_return true;
  };
  await(world.loop, look(larger));
  CHECK(std::filesystem::file_size(world.path("reserve")) == 5 * MiB);
  daemon::DiskKeeper none{world.workers, world.logger, world.alarms, world.disk.directory.path, {.keep_free = 0, .reserve = 0}};
  await(world.loop, look(none));
  CHECK_FALSE(std::filesystem::exists(world.path("reserve")));
}

TEST_CASE("a state directory that cannot be written is noticed, and nothing is claimed until it can") {
  World world{{.keep_free = 0, .reserve = 0}};
  if (!world.disk.usable) return;
  world.look();
  CHECK(world.keeper.may_claim());
  REQUIRE(::mount(nullptr, world.disk.directory.path.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0);
  world.look();
  CHECK_FALSE(world.keeper.may_claim());
  CHECK(world.message("state-directory").find("Read-only file system") != std::string::npos);
  CHECK_FALSE(world.keeper.failure().empty());
  REQUIRE(::mount(nullptr, world.disk.directory.path.c_str(), nullptr, MS_REMOUNT, nullptr) == 0);
  world.look();
  CHECK(world.keeper.may_claim());
  CHECK_FALSE(world.alarmed("state-directory"));
}
