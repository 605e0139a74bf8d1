#pragma once

#include "bench/bare_client.hpp"
#include "bench/request_log.hpp"

#include <string>
#include <vector>

namespace outpost::bench {

/// The floor of a job: runs the same steps by posix_spawn and wait, then makes the same requests as the agent did (as
/// many, as large, to the same resources of a new job) with the bare client, one after the other. Returns the seconds.
/// Throws when a request is refused, or of a kind that is not known here.
double run_bare_job(BareClient& client, const std::vector<std::vector<std::string>>& steps,
                    const std::vector<Logged>& requests, const std::string& topic, const std::string& component);

}  // namespace outpost::bench
