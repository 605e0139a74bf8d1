#include "plugins/dlrn/authorization.hpp"

#include "agent/base/hash.hpp"

namespace outpost::dlrn {

BasicAuthorization::BasicAuthorization(std::string user, config::Secret password)
    : user_{std::move(user)}, password_{std::move(password)} {}

boost::asio::awaitable<Result<std::string>> BasicAuthorization::header() {
  co_return "Basic " + to_base64(user_ + ':' + std::string{password_.reveal()});
}

}  // namespace outpost::dlrn
