#include "agent/base/ids.hpp"

#include "support/catch.hpp"

#include <set>

using namespace outpost;

TEST_CASE("ids are UUIDs of version 7 whose order is that of their making") {
  SystemClock clock;
  std::string last;
  std::set<std::string> all;
  for (int round = 0; round < 10'000; ++round) {
    const std::string id = new_id(clock.now());
    REQUIRE(is_uuid(id));
    REQUIRE(id[14] == '7');
    REQUIRE(id > last);
    last = id;
    all.insert(id);
  }
  CHECK(all.size() == 10'000);
}

TEST_CASE("a clock that is set back does not bring the order back") {
  const Timestamp now = SystemClock{}.now();
  const std::string first = new_id(now);
  CHECK(new_id(now - std::chrono::hours{1}) > first);
}

TEST_CASE("an id tells when it was made") {
  const auto moment = *parse_rfc3339("2031-11-20T22:12:12.821Z");  // Later than any other of this process.
  CHECK(time_of_id(new_id(moment)) == moment);
  CHECK_FALSE(time_of_id("6ba7b810-9dad-41d1-80b4-00c04fd430c8"));
  CHECK_FALSE(time_of_id("soon"));
}

TEST_CASE("what is not a UUID is told apart") {
  CHECK(is_uuid("01890a5d-ac96-774b-bcce-b302099a8057"));
  CHECK_FALSE(is_uuid("01890a5d-ac96-774b-bcce-b302099a805"));
  CHECK_FALSE(is_uuid("01890a5dxac96-774b-bcce-b302099a8057"));
  CHECK_FALSE(is_uuid("not-a-uuid"));
}
