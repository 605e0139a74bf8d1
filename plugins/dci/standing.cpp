#include "plugins/dci/standing.hpp"

#include "agent/base/ids.hpp"
#include "agent/base/text.hpp"

#include <algorithm>
#include <utility>

namespace outpost::dci {

Standing::Standing(Credentials credentials, const Clock& clock, Options options)
    : credentials_{std::move(credentials)}, clock_{clock}, options_{std::move(options)}, ids_{credentials_.id()} {}

boost::asio::awaitable<bool> Standing::renew() {
  if (!options_.renewal) co_return false;
  auto read = co_await options_.renewal();
  if (!read) {
    options_.warn("the credentials were replaced, but cannot be used: " + read.error().message);
    co_return false;
  }
  if (!*read) co_return false;
  credentials_ = std::move(**read);
  ids_.insert(credentials_.id());
  ask_again();
  co_return true;
}

bool Standing::is_due() const { return !refusal_ || clock_.since_boot() >= next_try_; }

void Standing::try_begins() {
  if (refusal_) next_try_ = clock_.since_boot() + options_.pause;
}

void Standing::accepted() {
  if (std::exchange(refusal_, std::nullopt)) options_.accepted_again();
}

void Standing::refused(std::string why) {
  // Of several requests that were on their way together the first one starts the pause.
  if (!refusal_) next_try_ = clock_.since_boot() + options_.pause;
  refusal_ = std::move(why);
}

void Standing::inconclusive() {
  if (refusal_) ask_again();
}

std::chrono::milliseconds Standing::held(const std::string& endpoint) const {
  const auto found = held_until_.find(endpoint);
  if (found == held_until_.end()) return {};
  const auto left = found->second - clock_.since_boot();
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(left), std::chrono::milliseconds{0});
}

void Standing::hold(const std::string& endpoint, std::chrono::milliseconds wait) {
  const auto now = clock_.since_boot();
  std::erase_if(held_until_, [&](const auto& one) { return one.second <= now; });
  auto& until = held_until_[endpoint];
  until = std::max(until, now + wait);
}

std::string endpoint_of(std::string_view method, std::string_view path) {
  std::vector<std::string> parts = split(path, '/');
  for (auto& part : parts)
    if (is_uuid(part)) part = "*";
  // Each file of a component is the same endpoint.
  if (parts.size() > 6 && parts[3] == "components") parts.resize(6);
  return std::string{method} + ' ' + join(parts, "/");
}

}  // namespace outpost::dci
