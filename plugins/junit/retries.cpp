#include "plugins/junit/retries.hpp"

#include <algorithm>
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
  auto tries = std::exchange(tries_, {});
  std::stable_sort(tries.begin(), tries.end(), [](auto left, auto right) { return key(left) < key(right); });
  Found found;
  for (auto first = tries.begin(); first != tries.end();) {
    const auto end = std::find_if(first, tries.end(), [&](auto attempt) { return key(attempt) != key(*first); });
    const auto last = end - 1;
    const auto passed = std::find_if(first, end, [](auto attempt) { return outcome_of(attempt) == Outcome::success; });
    if (passed < last) return {};  // Nobody runs again what has passed: names are not unique in this file.
    if (passed == last && first != last && std::all_of(first, last, [](auto attempt) { return is_bad(outcome_of(attempt)); })) {
      found.keys.insert(key(*first));
      const auto errors = std::count_if(first, last, [](auto attempt) { return outcome_of(attempt) == Outcome::error; });
      found.errors += errors;
      found.failures += last - first - errors;
    }
    first = end;
  }
  return found;
}

}  // namespace outpost::junit
