#pragma once

#include "agent/control/agent_control.hpp"
#include "agent/http/server.hpp"

namespace outpost::control {

/// The HTTP handler of the local API, version 1 (JSON):
///   GET  /api/v1/status
///   GET  /api/v1/jobs[?limit=N]        N from 1 to 1000, 50 unless told
///   GET  /api/v1/jobs/<job id>
///   POST /api/v1/jobs                  {"name": "..."}: runs a job of the configuration now
///   POST /api/v1/jobs/<job id>/cancel  {"reason": "..."}
///   POST /api/v1/jobs/<job id>/retry
///   POST /api/v1/jobs/<job id>/hold    {"reason": "..."}
///   POST /api/v1/jobs/<job id>/release
///   POST /api/v1/poll
///   POST /api/v1/reload                         422: the configuration is wrong
///   GET  /api/v1/claims
///   POST /api/v1/pause   {"source": "...", "resource": "...", "reason": "..."}
///   POST /api/v1/resume  {"source": "...", "resource": "...", "all": true}
///   POST /api/v1/drain   {"reason": "..."}
///   POST /api/v1/spool/export[?reporter=NAME]   answers with a spool archive
///   POST /api/v1/spool/confirm                  the receipt of an import
///   GET  /api/v1/reporters
///   POST /api/v1/reporters/<name>/forget  {"drop_waiting": true}
///   POST /api/v1/alarms/acknowledge  {"key": "..."}
///   GET  /api/v1/reporters/<name>/parked
///   POST /api/v1/reporters/<name>/retry  {"items": ["..."]}
/// Errors are {"error": {"message": ...}} with 400, 404, 405, 409 or 500. Who may connect is decided by the socket's mode.
[[nodiscard]] http::Handler local_api(AgentControl& agent);

}  // namespace outpost::control
