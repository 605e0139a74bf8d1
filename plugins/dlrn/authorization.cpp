#include "plugins/dlrn/authorization.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"

namespace outpost::dlrn {

BasicAuthorization::BasicAuthorization(std::string user, config::Secret password, Renewal renewal)
    : login_{std::move(user), std::move(password)}, renewal_{std::move(renewal)} {}

boost::asio::awaitable<Result<std::string>> BasicAuthorization::header() {
  if (renewal_) {
    auto renewed = co_await renewal_();
    // A file that cannot be read is told by the builder's refusal soon enough, if what we have is outdated.
    if (renewed && *renewed) login_ = std::move(**renewed);
  }
  co_return "Basic " + to_base64(login_.user + ':' + std::string{login_.password.reveal()});
}

std::string BasicAuthorization::without_secrets(std::string text) const {
  const std::string password{login_.password.reveal()};
  if (password.empty()) return text;
  return replace_all(replace_all(std::move(text), to_base64(login_.user + ':' + password), "***"), password, "***");
}

}  // namespace outpost::dlrn
