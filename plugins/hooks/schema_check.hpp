#pragma once

#include "agent/config/problem.hpp"
#include "agent/config/yaml_tree.hpp"

namespace outpost::hooks {

/// Notes what is wrong with a JSON Schema (draft 7) that a manifest has for its plugin's configuration: keywords that
/// do not exist, values that they cannot have, references out of it.
void check_schema(const config::Node& schema, config::Problems& problems);

}  // namespace outpost::hooks
