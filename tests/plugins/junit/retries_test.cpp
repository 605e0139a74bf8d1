#include "plugins/junit/retries.hpp"
#include "support/catch.hpp"

#include <utility>

using namespace outpost::junit;

TEST_CASE("more cases than are remembered are nobody's retries") {
  Retries retries;
  constexpr std::uint64_t shaky = 4, spread = 8;
  retries.note(shaky, Outcome::failure);
  for (std::uint64_t other = 1; other < (std::uint64_t{1} << 20) - 1; ++other) retries.note(other * spread, Outcome::success);
  retries.note(shaky, Outcome::success);
  Retries full = retries;
  full.note(spread << 21, Outcome::success);
  const auto found = std::move(retries).find();
  CHECK(found.keys.contains(Retries::key(shaky)));
  CHECK(found.failures == 1);
  CHECK(std::move(full).find().keys.empty());
}

TEST_CASE("the order of the file tells a case that was run again from two of one name") {
  constexpr std::uint64_t shaky = 4, other = 8;
  Retries retries;
  SECTION("failed, then passed, however many others are between") {
    for (std::uint64_t round = 0; round < 100; ++round) {
      retries.note(other * (round + 2), Outcome::success);
      retries.note(shaky, round % 2 == 0 ? Outcome::failure : Outcome::error);
    }
    retries.note(shaky, Outcome::success);
    const auto found = std::move(retries).find();
    CHECK(found.keys.size() == 1);
    CHECK(found.failures == 50);
    CHECK(found.errors == 50);
  }
  SECTION("passed, then failed") {
    retries.note(shaky, Outcome::success);
    for (std::uint64_t round = 0; round < 100; ++round) retries.note(other * (round + 2), Outcome::success);
    retries.note(shaky, Outcome::failure);
    CHECK(std::move(retries).find().keys.empty());
  }
}
