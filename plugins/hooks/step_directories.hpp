#pragma once

#include "agent/pipeline/step_runner.hpp"

namespace outpost::hooks {

/// Makes the directories that the hook contract promises to a step.
///
/// Most hooks leave nothing behind in theirs. Then the next step of the job gets the same ones under its own name:
/// renaming one directory costs a fraction of making five, and each that is made has to be removed again.
[[nodiscard]] Result<void> make_step_directories(const pipeline::StepRequest& request);

}  // namespace outpost::hooks
