#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "agent/config/load.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace outpost::doctor {

/// The certificate of a control server that is trusted.
struct Certificate {
  std::string subject, issuer;
  Timestamp not_after{};
};

/// What came back when a control server was asked, with our signature, who we are.
struct ServerAnswer {
  int status = 0;                             ///< 0: there was no answer, and `error` says why.
  bool is_api = false;                        ///< It is JSON, as everything is that DCI itself says.
  bool accepted = false;                      ///< It knows us.
  std::string client;                         ///< Who we said we are.
  std::string name;                           ///< What it calls us.
  std::string error;                          ///< Why it did not accept us, or did not answer.
  std::string software;                       ///< Its `Server` header.
  std::optional<std::chrono::seconds> ahead;  ///< How far its clock is ahead of ours, by its `Date` header.
  std::chrono::milliseconds took{0};
};

/// A mistake in a plugin that a job uses.
struct PluginMistake {
  std::string code;  ///< "PL004" (hooks/README.md)
  bool is_error = false;
  std::string text, fix;
};

/// What the checks have to ask of others than files. All of these block, for seconds when nobody answers.
class Outside {
 public:
  virtual ~Outside() = default;

  /// The addresses of a host. Errors say why there are none.
  virtual Result<std::vector<std::string>> addresses(const std::string& host) = 0;
  /// How long it took to connect.
  virtual Result<std::chrono::milliseconds> connect(const std::string& host, std::uint16_t port) = 0;
  /// Of an https server, through the source's proxy when it has one. refused: TLS, and why.
  virtual Result<Certificate> certificate(const config::Source& source, const std::string& url) = 0;
  /// Error: it could not even be asked, as when the credentials cannot be read.
  virtual Result<ServerAnswer> who_are_we(const config::Source& source) = 0;
  /// Errors: there is no such topic for us, and what may be meant.
  virtual Result<void> find_topic(const config::Source& source, const std::string& name) = 0;
  /// What the daemon says of itself. unavailable: it does not answer.
  virtual Result<boost::json::object> status(const std::filesystem::path& socket) = 0;
  /// What jobs select that no server could be asked for, a line each.
  virtual std::vector<std::string> selection_mistakes(const config::Loaded& loaded) = 0;
  virtual std::vector<PluginMistake> plugin_mistakes(const config::Loaded& loaded) = 0;
};

}  // namespace outpost::doctor
