#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "plugins/dci/signing.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace outpost::dci {

/// How we stand with one control server: who we are there, whether it accepts us, and which of its endpoints want to be
/// left alone for a while. Everything that asks the server shares one, so that refused credentials (or a skewed clock)
/// cost it three requests an hour and a Retry-After is honoured, however many parts of the agent want something of it.
/// Credentials that were replaced on disk are taken over without a restart.
class Standing {
 public:
  /// Reads the credentials again if their file was replaced since the last call; nothing when it was not.
  using Renewal = std::function<boost::asio::awaitable<Result<std::optional<Credentials>>>()>;

  struct Options {
    std::chrono::milliseconds pause = std::chrono::minutes{20};  ///< Between tries while we are refused: three an hour.
    Renewal renewal;                                             ///< None: the credentials are fixed.
    std::function<void(const std::string&)> warn = [](const std::string&) {};  ///< Replaced ones cannot be read.
    std::function<void()> accepted_again = [] {};  ///< The first request that the server accepts after a refusal.
  };

  /// The clock outlives it.
  Standing(Credentials credentials, const Clock& clock, Options options);
  Standing(const Standing&) = delete;
  Standing& operator=(const Standing&) = delete;

  [[nodiscard]] const Credentials& credentials() const { return credentials_; }
  /// Whether a client's id (a uuid) is ours, or was before the credentials were replaced: what it made is ours too.
  [[nodiscard]] bool is_ours(const std::string& id) const { return ids_.contains(id); }

  /// Why the server refuses us; nothing as long as it does not.
  [[nodiscard]] const std::optional<std::string>& refusal() const { return refusal_; }
  /// Takes over replaced credentials. True when there were some: the next request is sent whatever was before.
  boost::asio::awaitable<bool> renew();
  /// Whether to ask the server now: always, unless it refuses us; then once per pause.
  [[nodiscard]] bool is_due() const;
  /// What it refuses us for may be over: the next request is sent whatever was before.
  void ask_again() { next_try_ = {}; }
  /// A request goes out. While we are refused it is the one of this pause.
  void try_begins();
  // How it ended: the server knows us, it does not, or nobody can tell; then the try does not count.
  void accepted();
  void refused(std::string why);
  void inconclusive();

  /// The last answer of the server, whatever it said.
  struct Contact {
    std::chrono::milliseconds took{0};
    std::optional<std::chrono::seconds> ahead;  ///< How far its clock is ahead of ours.
  };
  void answered(Contact contact) { last_contact_ = contact; }
  [[nodiscard]] const std::optional<Contact>& last_contact() const { return last_contact_; }

  /// What an endpoint (a method and a path with "*" for ids) was told to wait: how long from now; zero when it need
  /// not.
  [[nodiscard]] std::chrono::milliseconds held(const std::string& endpoint) const;
  void hold(const std::string& endpoint, std::chrono::milliseconds wait);

 private:
  Credentials credentials_;
  const Clock& clock_;
  Options options_;
  std::set<std::string> ids_;
  std::optional<std::string> refusal_;
  std::optional<Contact> last_contact_;
  std::chrono::nanoseconds next_try_{};  ///< Since boot; counts while we are refused.
  std::map<std::string, std::chrono::nanoseconds> held_until_;
};

/// "POST /api/v1/jobs/*/kv": requests that one Retry-After is about.
[[nodiscard]] std::string endpoint_of(std::string_view method, std::string_view path);

}  // namespace outpost::dci
