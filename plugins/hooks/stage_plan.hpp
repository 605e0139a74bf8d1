#pragma once

#include "agent/base/result.hpp"
#include "agent/job/story.hpp"
#include "agent/pipeline/step_runner.hpp"
#include "plugins/hooks/plugin.hpp"

#include <memory>
#include <vector>

namespace outpost::hooks {

/// The hooks that a plugin has for a stage: the playbook that its manifest names, or the files that are there.
[[nodiscard]] Result<std::vector<pipeline::Step>> hooks_in(const Plugin& plugin, job::Stage stage);

/// The hooks of a stage in the order in which they run, with what their manifests say of them. Hooks that are not to run
/// in this job are there too, with the reason: a filter of their plugin, or a closing stage of a plugin that has hooks
/// for the stages before, of which none has begun.
/// `alone`: no stage before can have run, because somebody wants to see just this one; then it does not matter.
[[nodiscard]] Result<std::vector<pipeline::Step>> plan_stage(const std::vector<std::shared_ptr<const Plugin>>& plugins, const job::Story& story,
                                                             job::Stage stage, bool alone = false);

/// What is wrong with the playbooks that the manifest names: one is not there, or a file in `hooks/` is there too.
[[nodiscard]] Diagnoses playbook_mistakes(const Plugin& plugin);

}  // namespace outpost::hooks
