#include "agent/files/stalls.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"

namespace outpost::files {

void Stalls::waits(const std::string& file, const Retry& retry) {
  std::string& text = waiting_[file];
  text = "downloading " + printable(file, 300) + ": attempt " + std::to_string(retry.attempt) + ", next in " + format_duration(retry.wait) + ": " + printable(retry.reason, 500);
  if (tell_) tell_(text, true);
}

void Stalls::goes_on(const std::string& file) {
  if (waiting_.erase(file) > 0 && tell_) tell_(waiting_.empty() ? std::string_view{} : waiting_.begin()->second, false);
}

}  // namespace outpost::files
