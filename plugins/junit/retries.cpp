#include "plugins/junit/retries.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace outpost::junit {
namespace {

bool is_bad(Outcome outcome) { return outcome == Outcome::failure || outcome == Outcome::error; }

}  // namespace

void Retries::note(std::uint64_t test, Outcome outcome) {
  any_failed_ = any_failed_ || is_bad(outcome);
  if (test == 0 || too_many_) return;
  if (tries_.size() < most_cases) return tries_.push_back(key(test) | static_cast<std::uint64_t>(outcome));
  too_many_ = true;
  tries_ = {};
}

Retries::Found Retries::find() && {
  if (!any_failed_ || too_many_) return {};
  const auto tries = std::exchange(tries_, {});
  const auto key_at = [&tries](std::uint32_t place) { return key(tries[place]); };
  const auto outcome_at = [&tries](std::uint32_t place) { return outcome_of(tries[place]); };
  // The tries of a case beside each other, in the order of the file. Not std::stable_sort over the tries: the buffer that
  // libstdc++ takes for it is as large as these places, and deprecated.
  std::vector<std::uint32_t> places(tries.size());
  std::iota(places.begin(), places.end(), 0U);
  std::sort(places.begin(), places.end(), [key_at](auto left, auto right) { return std::pair{key_at(left), left} < std::pair{key_at(right), right}; });
  Found found;
  for (auto first = places.begin(); first != places.end();) {
    const auto end = std::find_if(first, places.end(), [&](auto place) { return key_at(place) != key_at(*first); });
    const auto last = end - 1;
    const auto passed = std::find_if(first, end, [&](auto place) { return outcome_at(place) == Outcome::success; });
    if (passed < last) return {};  // Nobody runs again what has passed: names are not unique in this file.
    if (passed == last && first != last && std::all_of(first, last, [&](auto place) { return is_bad(outcome_at(place)); })) {
      found.keys.insert(key_at(*first));
      const auto errors = std::count_if(first, last, [&](auto place) { return outcome_at(place) == Outcome::error; });
      found.errors += errors;
      found.failures += last - first - errors;
    }
    first = end;
  }
  return found;
}

}  // namespace outpost::junit
