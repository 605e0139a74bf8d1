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
