#pragma once

#include "agent/control/agent_control.hpp"
#include "agent/control/records.hpp"
#include "agent/http/server.hpp"

#include <string>
#include <vector>

namespace outpost::control {

/// The HTTP handler of the local API, version 1; agent/control/README.md describes it path by path. Who may connect is
/// decided by the socket's mode and by guarded(). Without `records` there are only the paths of the agent itself.
[[nodiscard]] http::Handler local_api(AgentControl& agent, const Records* records = nullptr);

/// Whether a page may ask for this change where the configuration lets it change something: what an operator does to jobs,
/// claims and deliveries every day, nothing that loses data or changes what the agent is.
[[nodiscard]] bool is_page_action(const http::ServerRequest& request);

/// A path of the API as its documents write it: "GET /api/v1/jobs/*".
[[nodiscard]] std::vector<std::string> api_routes();

}  // namespace outpost::control
