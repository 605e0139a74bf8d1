#pragma once

#include "integration/sample_lab.hpp"

namespace outpost::test {

/// The states of a job that the lab, or what it was given, is to blame for before anything was installed.
inline const Names lab_error{"new", "pre-run", "post-run", "error"};

/// Overrides keys of outpost.yml.
void override_configuration(SampleLab& lab, const std::string& yaml);

/// The only job at the server.
boost::json::object the_job(SampleLab& lab);

/// The comment of the verdict of the only job, which must have gone this way. Starts the agent.
std::string verdict(SampleLab& lab, const Names& states);

}  // namespace outpost::test
