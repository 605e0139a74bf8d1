#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/workers.hpp"
#include "agent/config/option.hpp"
#include "agent/http/client.hpp"
#include "plugins/dci/reporter.hpp"
#include "plugins/dci/source.hpp"

#include <memory>
#include <string>
#include <string_view>

/// What the composition root needs of this integration.
namespace outpost::dci {

/// Where a control server is and who we are there.
struct Server {
  std::string url;  ///< DCI_CS_URL; empty: https://api.distributed-ci.io
  Credentials credentials;
  /// Shared by source and reporter, so that what one learns the other knows; nullptr: each has one of its own.
  std::shared_ptr<Standing> standing = nullptr;
  std::chrono::milliseconds idle_timeout = std::chrono::seconds{60};  ///< Of requests that need no more.
};

/// Everything that is handed in by reference or pointer outlives the result. malformed: the url.
[[nodiscard]] Result<std::unique_ptr<pipeline::Source>> make_source(const Server& server, SourceSettings settings,
                                                                    http::Client& client, Workers& workers,
                                                                    const Clock& clock, files::Cache* cache);

[[nodiscard]] Result<std::unique_ptr<pipeline::Reporter>> make_reporter(const Server& server, ReporterSettings settings,
                                                                        http::Client& client, Workers& workers,
                                                                        const Clock& clock);

/// Whether a selection can be read, without asking a server. malformed with the character and what to write instead.
[[nodiscard]] Result<void> check_selection(std::string_view text);

/// `type: dci` in outpost.yml and its own key `ui_url`.
[[nodiscard]] config::SourceType source_type();

}  // namespace outpost::dci
