#pragma once

#include "agent/http/server.hpp"
#include "samples/dlrn-server/builder.hpp"

#include <string>

namespace outpost::sample_builder {

/// Answers /api/graphql, which is open always: commits, civote, civoteAgg and packageStatus, newest first and at most 100
/// of each. 400 with a list of errors for a query that is none, or asks for what does not exist. Fragments, directives and
/// introspection are not understood.
[[nodiscard]] http::ServerResponse graphql_answer(const Builder& builder, const http::ServerRequest& request, const std::string& body);

}  // namespace outpost::sample_builder
