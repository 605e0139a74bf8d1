#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/workers.hpp"
#include "agent/config/credentials.hpp"
#include "agent/config/settings.hpp"
#include "agent/delivery/dispatcher.hpp"
#include "agent/delivery/spool_seal.hpp"
#include "agent/http/client.hpp"
#include "agent/pipeline/reporter.hpp"
#include "plugins/dci/dci.hpp"
#include "plugins/dlrn/dlrn.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <variant>

namespace outpost::daemon {

/// How one configured control server is reached: its client and the identity of the lab there.
struct ServerAccess {
  std::unique_ptr<http::Client> client;
  std::string url;
  std::variant<dci::Server, dlrn::Server> server;
  config::Secret secret;         ///< What no log may show.
  delivery::SpoolKey spool_key;  ///< Of the archives that carry what waits for it.
  std::string source;            ///< What the configuration calls it.
};

/// How a source's server is reached; its uploads are held back by `uploads` (nullptr: by nothing).
[[nodiscard]] http::ClientOptions client_options(const config::Source& source,
                                                 std::shared_ptr<http::Throttle> uploads = nullptr);

/// Reads the credentials of a source and makes its client, whose uploads are held back by `uploads` (nullptr: by
/// nothing). Blocks.
[[nodiscard]] Result<ServerAccess> access_to(const config::Source& source, config::CredentialsFile& file,
                                             std::shared_ptr<http::Throttle> uploads);
[[nodiscard]] Result<ServerAccess> access_to(const config::Source& source,
                                             std::shared_ptr<http::Throttle> uploads = nullptr);

/// What holds back all uploads together; nullptr: nothing.
[[nodiscard]] std::shared_ptr<http::Throttle> upload_throttle(const config::Spool& spool);

/// How deliveries to a source are paced.
[[nodiscard]] delivery::Options delivery_options(const config::Spool& spool, const config::Source& source);

/// The reporter of a source. Access, workers and clock outlive it.
[[nodiscard]] Result<std::unique_ptr<pipeline::Reporter>> make_reporter(
    const ServerAccess& access, const config::Source& source,
    std::function<std::filesystem::path(const std::string& job_id)> job_directory, Workers& workers,
    const Clock& clock);

}  // namespace outpost::daemon
