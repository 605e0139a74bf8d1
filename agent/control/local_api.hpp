#pragma once

#include "agent/control/agent_control.hpp"
#include "agent/http/server.hpp"

namespace outpost::control {

/// The HTTP handler of the local API, version 1; agent/control/README.md describes it path by path. Who may connect is
/// decided by the socket's mode.
[[nodiscard]] http::Handler local_api(AgentControl& agent);

}  // namespace outpost::control
