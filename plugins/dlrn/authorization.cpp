#include "plugins/dlrn/authorization.hpp"

#include "agent/base/hash.hpp"

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

}  // namespace outpost::dlrn
