#pragma once

#include "agent/job/stage.hpp"

#include <span>
#include <string>

namespace outpost::cli {

/// 'there is no stage "teardown" (did you mean "release"?)', of those that the command takes.
[[nodiscard]] std::string no_such_stage(const std::string& name, std::span<const job::Stage> stages);

}  // namespace outpost::cli
