#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/workers.hpp"
#include "agent/config/option.hpp"
#include "agent/config/settings.hpp"
#include "agent/http/client.hpp"
#include "agent/pipeline/reporter.hpp"
#include "plugins/dlrn/expand.hpp"
#include "plugins/dlrn/source.hpp"

#include <memory>
#include <string>

/// What the composition root needs of this integration.
namespace outpost::dlrn {

/// Where a builder is and who we are there.
struct Server {
  Api::Options api;
  std::string tree;  ///< Of its web tree; nothing of the API's address tells it.
};

/// What a source of this type is configured with, but for who we are.
[[nodiscard]] Server server_of(const config::Source& source);
[[nodiscard]] VoteSettings vote_settings_of(const config::Source& source);
[[nodiscard]] SourceSettings source_settings_of(const config::Source& source);

/// Whether it signs in with tickets instead of the credentials that every source has.
[[nodiscard]] bool uses_kerberos(const config::Source& source);

/// Everything that is handed in by reference outlives the result. malformed: one of the addresses.
[[nodiscard]] Result<std::unique_ptr<pipeline::Source>> make_source(const Server& server, SourceSettings settings,
                                                                    http::Client& client, Workers& workers,
                                                                    const Clock& clock);
[[nodiscard]] Result<std::unique_ptr<pipeline::Reporter>> make_reporter(const Server& server, VoteSettings settings,
                                                                        http::Client& client, const Clock& clock);

/// `type: dlrn` in outpost.yml and its own keys.
[[nodiscard]] config::SourceType source_type();

}  // namespace outpost::dlrn
