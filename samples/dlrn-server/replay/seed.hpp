#pragma once

#include "samples/dlrn-server/dlrn_server.hpp"
#include "samples/dlrn-server/replay/recording.hpp"

#include <vector>

namespace outpost::builder_replay {

/// How the double has to be set up to stand for the builder that was recorded: users and tickets whose requests went
/// through, components or none, whether reads were protected.
[[nodiscard]] sample_builder::DlrnServer::Options options_for(const std::vector<Pair>& pairs);

/// Lays what is older than the recording, as far as its answers show it: builds, the builder's own votes, promotions that
/// no pair makes, builds that are only counted.
void seed(const std::vector<Pair>& pairs, sample_builder::Builder& builder);

}  // namespace outpost::builder_replay
