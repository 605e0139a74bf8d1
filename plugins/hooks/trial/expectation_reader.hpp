#pragma once

#include "agent/config/fields.hpp"
#include "plugins/hooks/trial/test_case.hpp"

namespace outpost::hooks {

/// Reads what stands under `expect` or `expect_fault`.
[[nodiscard]] Expectation read_expectation(config::Reading& reading, config::Fields fields);

/// Reads `stubs`; files that rules name lie in `reading.directory`.
[[nodiscard]] StubSet read_stubs(config::Reading& reading, const config::Node& node,
                                 std::vector<config::KnownKey>& known, const std::string& shown);

/// A value of several lines as it stands, without trimming.
[[nodiscard]] std::optional<std::string> as_content(config::Reading& reading, const config::Node& node,
                                                    std::string_view label);

}  // namespace outpost::hooks
