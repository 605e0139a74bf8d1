#pragma once

#include "agent/base/result.hpp"
#include "agent/config/secret.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace outpost::dlrn {

/// Says who we are. Which way is a matter of configuration: the server's challenge names only the first of its ways, and
/// malformed.
class Authorization {
 public:
  virtual ~Authorization() = default;
  /// The value of the header for one request. Never twice the same object of a Kerberos ticket: a replayed token is
  /// refused. credentials: there is none to be had; the message says what to do.
  virtual boost::asio::awaitable<Result<std::string>> header() = 0;
  /// The builder has refused what header() gave: whatever was kept for the next one is thrown away. Whether the next one
  /// may be taken where this was not.
  virtual bool refused() { return false; }
  [[nodiscard]] virtual std::string user() const = 0;  ///< For messages.
  /// A text of the server's without what is secret in header(), should it have repeated that.
  [[nodiscard]] virtual std::string without_secrets(std::string text) const { return text; }
};

struct Login {
  std::string user;
  config::Secret password;
};

/// User and password, as the builder's own database knows them.
class BasicAuthorization final : public Authorization {
 public:
  /// The login, when it was replaced since it was read last.
  using Renewal = std::function<boost::asio::awaitable<Result<std::optional<Login>>>()>;

  BasicAuthorization(std::string user, config::Secret password, Renewal renewal = {});
  boost::asio::awaitable<Result<std::string>> header() override;
  [[nodiscard]] std::string user() const override { return login_.user; }
  [[nodiscard]] std::string without_secrets(std::string text) const override;

 private:
  Login login_;
  Renewal renewal_;
};

}  // namespace outpost::dlrn
